/// `platform`: properties of the whole machine. Martlet accepts the defaults.
struct PlatformConfig: SchemaObject {
    static let fields: [Field<PlatformConfig>] = [
        .unsupported("num_pci_segments", default: UInt16(1)),
        .unsupported("iommu_segments"),
        .unsupported("iommu_address_width_bits", default: UInt8(64)),
        .unsupported("system_serial_number"),
        .unsupported("serial_number"),
        .unsupported("system_uuid"),
        .unsupported("uuid"),
        .unsupported("oem_strings"),
        .unsupported("system_manufacturer"),
        .unsupported("system_product_name"),
        .unsupported("system_version"),
        .unsupported("system_family"),
        .unsupported("system_sku_number"),
        .unsupported("chassis_asset_tag"),
        .unsupported("iommufd", default: false),
        .unsupported("iommufd_fd"),
        .unsupported("vfio_p2p_dma", default: true),
        .unsupported("tdx", default: false),
        .unsupported("sev_snp", default: false),
    ]
}
