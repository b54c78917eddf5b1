"""Certificates for migrations in the outer machine: both ends at its own address."""

import os
import subprocess


def make(folder):
    """Fills a folder as `tls_dir` wants it: an authority, and a certificate for each end."""
    os.makedirs(folder)
    _openssl(folder, "req", "-x509", *_key("ca-key.pem"), "-subj", "/CN=lab", "-days", "3650",
             "-out", "ca-cert.pem")
    with open(os.path.join(folder, "names"), "w") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    for end in ("server", "client"):
        _openssl(folder, "req", *_key(f"{end}-key.pem"), "-subj", f"/CN={end}", "-out", "request")
        _openssl(folder, "x509", "-req", "-in", "request", "-CA", "ca-cert.pem",
                 "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "3650", "-extfile", "names",
                 "-out", f"{end}-cert.pem")


def _key(path):
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
