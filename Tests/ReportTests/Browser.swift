import ControlAPI
import Glibc
import Harness
import LinuxSystem
import Testing

/// A browser without a window, which looks at a report.
struct Browser {
    /// Path of the browser: `MARTLET_BROWSER`, or Debian's Chromium.
    static let path: String? = {
        if let value = unsafe getenv("MARTLET_BROWSER") { return unsafe String(cString: value) }
        let usual = "/usr/bin/chromium"
        return unsafe access(usual, X_OK) == 0 ? usual : nil
    }()

    /// What the browser saw.
    struct Sight: Decodable {
        /// Whether it shows pages for the dark.
        let isDark: Bool
        /// The elements that a selector finds.
        let counts: [String: Int]
        /// What is drawn or written where it cannot be read.
        let faults: [String]
        /// Texts of elements by their identifiers.
        let texts: [String: String]
        /// The least contrast of a text with what is behind it.
        let contrast: Double
        /// How far the page is wider than the window, in pixels.
        let overflow: Int
        /// Opacity of the values at the pointer while it is elsewhere.
        let lookUpOpacity: String
    }

    /// Whether it shows pages for the dark.
    var isDark = false
    /// Width of the window in pixels.
    var width = 1100

    /// Looks at a page.
    ///
    /// - Returns: what it saw, and what it has to say about the page's faults.
    func look(at page: String) throws -> (sight: Sight, console: [Substring]) {
        let folder = try TemporaryFolder(prefix: "martlet-browser")
        try write(page, to: "\(folder.path)/report.html")
        try write(judge, to: "\(folder.path)/judge.html")
        let run = try CommandRun(
            path: try #require(Self.path),
            arguments: [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--allow-file-access-from-files", "--enable-logging=stderr",
                "--user-data-dir=\(folder.path)/profile", "--window-size=\(width),2000",
                "--blink-settings=preferredColorScheme=\(isDark ? 0 : 1)",
                "--virtual-time-budget=20000", "--dump-dom", "file://\(folder.path)/judge.html",
            ], folder: folder.path, deadline: .after(milliseconds: 120_000))
        let start = try #require(run.output.firstRange(of: "<pre id=\"verdict\">"), "\(run.errors)")
        let rest = run.output[start.upperBound...]
        let end = try #require(rest.firstRange(of: "</pre>"))
        let json = rest[..<end.lowerBound].replacing("&lt;", with: "<").replacing("&gt;", with: ">")
            .replacing("&amp;", with: "&")
        let sight = try JSONBody.decode(Sight.self, from: Array(json.utf8))
        return (sight, run.errors.split(separator: "\n").filter { $0.contains("CONSOLE") })
    }

    private func write(_ text: String, to path: String) throws {
        try OwnedDescriptor(opening: path, [.write, .create, .truncate]).writeAll(Array(text.utf8))
    }

    /// A page that shows the report in a frame and measures it there: the report itself runs no
    /// script.
    private var judge: String {
        """
        <!doctype html><meta charset="utf-8"><title>judge</title><style>body{margin:0}</style>
        <iframe id="frame" style="border:0;width:\(width)px;height:6000px"></iframe>
        <pre id="verdict"></pre>
        <script>
        const frame = document.getElementById('frame');
        frame.onload = () => {
          const page = frame.contentDocument, root = page.documentElement, faults = [];
          const all = selector => [...page.querySelectorAll(selector)];
          const box = element => element.getBoundingClientRect();
          const name = element => element.textContent.slice(0, 60) + ' of ' + element.classList;
          const inside = (small, large, edge) =>
            small.left >= large.left - edge && small.right <= large.right + edge
            && small.top >= large.top - edge && small.bottom <= large.bottom + edge;
          for (const text of all('svg text')) {
            if (text.closest('.look-up')) continue;
            if (!inside(box(text), box(text.ownerSVGElement), 2))
              faults.push('outside of its drawing: ' + name(text));
            if (parseFloat(page.defaultView.getComputedStyle(text).fontSize) < 11)
              faults.push('too small: ' + name(text));
          }
          for (const element of all('body *')) {
            if (element.closest('svg') || element.closest('.wide')) continue;
            if (box(element).right > root.clientWidth + 1)
              faults.push('beyond the window: ' + element.tagName + ' ' + name(element));
          }
          for (const kind of ['time', 'tick'])
            for (const drawing of all('svg')) {
              const boxes = [...drawing.querySelectorAll('text.' + kind)].map(box);
              for (let i = 1; i < boxes.length; i++) {
                const [a, b] = [boxes[i - 1], boxes[i]];
                if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
                  faults.push('over each other: ' + kind + ' ' + i);
              }
            }
          for (const text of all('.row g text, .step text'))
            if (!inside(box(text), box(text.parentElement.querySelector('rect')), 1))
              faults.push('wider than its bar: ' + name(text));
          for (const line of all('path.line, path.area')) {
            if (!(line.getTotalLength() > 0)) faults.push('empty curve');
            if (!inside(box(line), box(line.ownerSVGElement), 3)) faults.push('curve outside');
          }
          for (const value of all('[d], [x], [y], [width], [height]'))
            for (const attribute of value.attributes)
              if (/NaN|undefined|inf/i.test(attribute.value))
                faults.push('no number: ' + attribute.name);
          const numbers = color => color.match(/[0-9.]+/g).map(Number);
          const light = color => {
            const [r, g, b] = numbers(color).map(c => {
              c /= 255;
              return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const behind = element => {
            for (; element; element = element.parentElement) {
              const color = page.defaultView.getComputedStyle(element).backgroundColor;
              if (numbers(color)[3] !== 0) return color;
            }
            return 'rgb(255,255,255)';
          };
          let contrast = 21;
          for (const element of all('h1,h2,h3,p,td,th,li,caption,svg text')) {
            if (!element.textContent.trim() || element.closest('.look-up')) continue;
            const style = page.defaultView.getComputedStyle(element);
            const bar = element.parentElement.querySelector(':scope > rect');
            const back = bar ? page.defaultView.getComputedStyle(bar).fill : behind(element);
            const front = element.ownerSVGElement ? style.fill : style.color;
            const [a, b] = [light(front), light(back)].sort((a, b) => b - a);
            const ratio = (a + 0.05) / (b + 0.05);
            if (ratio < 4.5) faults.push('contrast ' + ratio.toFixed(1) + ': ' + name(element));
            contrast = Math.min(contrast, ratio);
          }
          const counts = {}, texts = {};
          for (const selector of ['figure', 'figure svg', 'path.line', 'path.area', 'script',
                                  'img', '[data-end]', '[data-part]', '#rounds tbody tr',
                                  '.tile', '.look-up', '#errors p', '.pause', '.step rect'])
            counts[selector] = all(selector).length;
          for (const element of all('[id]')) texts[element.id] = element.textContent.slice(0, 2000);
          const lookUp = page.querySelector('.look-up');
          document.getElementById('verdict').textContent = JSON.stringify({
            isDark: page.defaultView.matchMedia('(prefers-color-scheme: dark)').matches,
            counts, faults: [...new Set(faults)], texts, contrast,
            overflow: root.scrollWidth - root.clientWidth,
            lookUpOpacity: lookUp ? page.defaultView.getComputedStyle(lookUp).opacity : '',
          });
        };
        frame.src = 'report.html';
        </script>
        """
    }
}
