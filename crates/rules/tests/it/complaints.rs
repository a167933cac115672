//! What users of other tools complain about: numbers, code and capitals that are taken for personal data.

use bartizan_core::{Context, Family, Kind, Origin, Source};
use bartizan_engine::Input;

use crate::pages::engine;

/// Texts without personal data. The sources of the complaints are in the list of each line.
const NOTHING: &[&str] = &[
    // Numbers as names: presidio#786, #1173, #1352.
    "-0.96",
    "96c",
    "Loss fell from 0.9634 to 0.0031 after 120000 steps (3e-4, batch 512).",
    "Totals: 1,234,567.89 / 12 345 678 / 1.234.567,89 / 0x1F4A / 1e-9 / 42",
    "pi = 3.14159265358979, e = 2.718281828459045",
    "Step 3 of 12, row 1048576, offset 65536, 4096 bytes, 50 %, 7/8, 16:9, 1920x1080",
    "| 2017 | 1532 | 88.4 |\n| 2018 | 1640 | 91.2 |",
    // Capitals as names or licences: presidio#1063, #1354.
    "INTRODUCTORY",
    "INTRODUCTORY REMARKS",
    "TABLE OF CONTENTS",
    "WARNING: DO NOT OPEN THE COVER WHILE THE FAN IS RUNNING",
    "SELECT COUNT(*) FROM ORDERS WHERE STATUS = 'OPEN' GROUP BY REGION_CODE",
    "HTTP GET PUT POST DELETE OPTIONS TRACE",
    // Identifiers of things: presidio#71, gitleaks#1219, #1578.
    "550e8400-e29b-41d4-a716-446655440000",
    "request 7c9e6679-7425-40de-944b-e07fc1f90ae7 failed",
    "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
    "commit da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "fixes in 4f2c9b1 and a1b2c3d",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "d41d8cd98f00b204e9800998ecf8427e  empty.bin",
    "ETag: W/\"5f3a-18c0d1b2e40\"",
    "order ORD-20419-REV-B, part 7714-A2, lot L0-339",
    "monkey, key bindings, keyboard, keystone",
    // Times, durations and versions.
    "12:30:45.123",
    "The job runs at 04:15 and takes 2h 35m 10s.",
    "rustc 1.95.0, node v20.11.1, openssl 3.0.13, 10.0.19041.1",
    "v2.10.0-rc.3+build.5114",
    "for two weeks, every other day, within 30 minutes",
    // Code: presidio#1352, gitleaks#2136.
    "let total = rows.iter().map(|r| r.len()).sum::<usize>();",
    "for (int i = 0; i < MAX_LEN; i++) { buf[i] = src[i] ^ 0x5A; }",
    "def forward(self, x):\n    return self.norm(x + self.attn(x))",
    "const FormData = require('form-data'); module.exports = { FormData };",
    "import java.util.HashMap;\npublic final class Cache<K, V> extends HashMap<K, V> {}",
    "#include <vector>\nstd::vector<std::string> Names;",
    "kubectl get pods -n kube-system -o wide | grep Running",
    "git rebase --onto main feature~3 feature",
    "at Object.<anonymous> (/app/src/index.js:14:9)",
    "!function(e,t){for(var n=0;n<t.length;n++)e[t[n]]=n}({},[]);",
    "<div class=\"Row Col-6\" id=\"Main\"><span>Total</span></div>",
    "color: #ff8800; margin: 0 auto; transform: rotate(45deg)",
    "{\"Status\": \"Active\", \"Retries\": 3, \"Level\": \"High\"}",
    "a|b|c\n1|2|3\n4|5|6",
    // camelCase and snake_case words as keys: trufflehog#1772.
    "getUserAccountServiceFactoryBean",
    "MAX_RETRY_BACKOFF_INTERVAL_MS",
    "PagerDutyNotificationChannelFactory",
    "org.springframework.boot.autoconfigure.web",
    // Variables that hold a secret elsewhere: trufflehog#894, chezmoi#4679.
    "curl https://$HOST/api?token=$TOKEN",
    "password = os.environ[\"DB_PASSWORD\"]",
    "api_key: ${{ secrets.API_KEY }}",
    "token: <your-token-here>",
    // Measures, parts and chemistry.
    "10 kOhm, 4.7 uF, M8x40, 3.3 V, 220-240 VAC, 50/60 Hz, IP67",
    "C6H12O6, H2SO4, NaCl, CO2",
    "ISO 27001, RFC 9112, IEC 61508, DIN 912, EN 50128",
    "Chapter 3, Section 12.4, Figure 7, Table 2, Appendix B",
];

/// The families that speak of somebody or of a key.
fn speaks(family: Family) -> bool {
    matches!(family, Family::Pii | Family::Secret)
}

#[test]
fn nothing_is_raised_about_numbers_code_and_capitals() {
    let (engine, origin) = (engine(), Origin::new(Source::User));
    let mut alarms = Vec::new();
    for text in NOTHING {
        let input = Input { text, kind: Kind::Text, origin: &origin, context: Context::default() };
        let answer = engine.scan(&input);
        for finding in answer.findings.iter().filter(|f| speaks(f.rule.family())) {
            let span = finding.span();
            alarms.push(format!("{}: {:?} in {text:?}", finding.rule, text.get(span.start..span.end)));
        }
    }
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}

#[test]
fn what_looks_the_same_and_is_somebodys_is_still_found() {
    let (engine, origin) = (engine(), Origin::new(Source::User));
    for (text, rule) in [
        ("card 4111 1111 1111 1111 was charged", "pii/credit-card"),
        ("call me at (415) 555-2671", "pii/phone"),
        ("MR. JOHN SMITH LIVES IN BERLIN", "pii/person"),
        ("name: maria gonzalez, please call", "pii/person"),
    ] {
        let input = Input { text, kind: Kind::Text, origin: &origin, context: Context::default() };
        let answer = engine.scan(&input);
        assert!(answer.findings.iter().any(|f| f.rule.as_str() == rule), "{rule}: {text}");
    }
}
