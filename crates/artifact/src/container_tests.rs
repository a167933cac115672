//! Containers that readers take apart in different ways, and ordinary ones. The payloads are inert.

use std::io::Write as _;

use bartizan_core::{CoverageStatus, Severity};

use crate::tests::{alarms, call, has, join, quiet, scan, zip};

/// An empty dictionary as a pickle, in xz.
const XZ_GOOD: &[u8] =
    b"\xfd\x37\x7a\x58\x5a\x00\x00\x01\x69\x22\xde\x36\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\
    \x01\x00\x03\x80\x02\x7d\x2e\x00\x3d\xb7\xde\x89\x00\x01\x18\x04\x6b\xe9\xf0\xa5\x90\x42\x99\x0d\
    \x01\x00\x00\x00\x00\x01\x59\x5a";
/// What `bad` makes, in xz.
const XZ_BAD: &[u8] =
    b"\xfd\x37\x7a\x58\x5a\x00\x00\x01\x69\x22\xde\x36\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\
    \x01\x00\x17\x80\x04\x8c\x02\x6f\x73\x8c\x06\x73\x79\x73\x74\x65\x6d\x93\x8c\x04\x74\x72\x75\x65\
    \x85\x52\x2e\x00\x8d\x7b\x2d\x82\x00\x01\x2c\x18\xd3\x46\xdb\x0a\x90\x42\x99\x0d\x01\x00\x00\x00\
    \x00\x01\x59\x5a";
/// The same in LZMA, behind its properties and the size of its dictionary.
const LZMA_BAD: &[u8] =
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x00\x40\x01\x0d\x36\xfc\x07\x28\x37\x63\x49\x69\xfc\x09\x80\x14\
    \xf8\x7a\x12\x12\x75\x71\x1e\xb7\xd5\xa4\x8c\x9b\xde\xf9\x7f\xff\xdf\x6c\x00\x00";

fn plain(_: &mut Vec<u8>) {}

fn bad() -> Vec<u8> {
    call("os", "system", "true")
}

/// Reported, or not called read.
#[track_caller]
fn seen(name: &str, bytes: &[u8]) {
    let report = scan(bytes);
    let told = report.worst() >= Some(Severity::High) || report.coverage.status == CoverageStatus::Partial;
    assert!(told, "{name}: {report:?}");
}

#[test]
fn wide_records_of_zip_are_read_whatever_the_narrow_one_says() {
    let bad = bad();
    let hidden = zip(&[("m/data.pkl", &bad)], plain, plain);
    let end = hidden.len() - 22;
    let length = u32::from_le_bytes(hidden[end + 12..end + 16].try_into().unwrap());
    let directory = u32::from_le_bytes(hidden[end + 16..end + 20].try_into().unwrap());
    // A whole archive lies in a stored tensor, its places moved to where it is.
    let start = 30 + "m/data/0".len();
    let mut inner = hidden[..end].to_vec();
    let at = directory as usize + 42;
    inner[at..at + 4].copy_from_slice(&u32::try_from(start).unwrap().to_le_bytes());
    let outer = zip(&[("m/data/0", &inner), ("m/data.pkl", b"\x80\x02}."), ("m/version", b"3\n")], plain, plain);
    let cut = outer.len() - 22;
    let record = |place: u64, size: u64| {
        let mut out = b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0".to_vec();
        for number in [1, 1, size, place] {
            out.extend(number.to_le_bytes());
        }
        out
    };
    let other = record(u64::from(directory) + start as u64, u64::from(length));
    let locator = [&b"PK\x06\x07\0\0\0\0"[..], &(cut as u64).to_le_bytes(), b"\x01\0\0\0"].concat();
    let wide = [&outer[..cut], &other, &locator, &outer[cut..]].concat();
    let report = alarms("directory in a tensor", &wide);
    assert!(has(&report, "model/container-mismatch"), "{report:?}");
    assert_eq!(report.worst(), Some(Severity::Critical), "{report:?}");
    // One that says the same is as torch writes large files.
    let place = u32::from_le_bytes(outer[cut + 16..cut + 20].try_into().unwrap());
    let size = u32::from_le_bytes(outer[cut + 12..cut + 16].try_into().unwrap());
    let mut same = record(u64::from(place), u64::from(size));
    same[24..32].copy_from_slice(&3u64.to_le_bytes());
    same[32..40].copy_from_slice(&3u64.to_le_bytes());
    let ordinary = [&outer[..cut], &same, &locator, &outer[cut..]].concat();
    let ordinary_outer = scan(&outer);
    assert!(!has(&ordinary_outer, "model/container-mismatch"), "{ordinary_outer:?}");
    let report = scan(&ordinary);
    assert!(!has(&report, "model/container-mismatch"), "{report:?}");
    let mut open = ordinary.clone();
    let end = open.len() - 22;
    open[end + 8..end + 20].copy_from_slice(&[0xff; 12]);
    assert!(!has(&scan(&open), "model/container-mismatch"), "{:?}", scan(&open));
}

#[test]
fn names_in_zip_mean_something_in_archives_of_torch_alone() {
    let source = b"import os\nos.system('true')\n";
    alarms("code", &zip(&[("x/code/evil.py", source)], plain, plain));
    alarms("weights", &zip(&[("weights/m", b"cos\nsystem\n(S'true'\ntR.")], plain, plain));
    alarms("data", &zip(&[("data/payload", source)], plain, plain));
    alarms(
        "root",
        &zip(&[("a/data.pkl", b"\x80\x02}."), ("b/version", b"3\n"), ("a/code/x.py", source)], plain, plain),
    );
    // Numbers that begin like files.
    let mut counter = vec![0x80, 0];
    counter.extend([0; 6]);
    let mut other = vec![0x78, 0x01];
    other.extend([0; 6]);
    let code = [&[0, 0x0c, b'\r', b'\n'][..], &[0x3f; 60]].concat();
    let torch = zip(
        &[
            ("m/data.pkl", b"\x80\x02}."),
            ("m/data/0", &counter),
            ("m/data/1", &other),
            ("m/data/2", &code),
            ("m/code/__torch__.py", b"op_version_set = 1\n"),
            ("m/version", b"3\n"),
        ],
        plain,
        plain,
    );
    quiet("storages", &torch);
    let hidden = zip(&[("m/data.pkl", b"\x80\x02}."), ("m/data/0", &bad()), ("m/version", b"3\n")], plain, plain);
    alarms("pickle as a storage", &hidden);
}

#[test]
fn members_that_share_bytes_are_not_read_again_and_again() {
    let many: Vec<(String, Vec<u8>)> = vec![("a".to_owned(), vec![b'N'; 1 << 20])];
    let one = zip(&[(many[0].0.as_str(), many[0].1.as_slice())], plain, plain);
    let end = one.len() - 22;
    let entry = &one[u32::from_le_bytes(one[end + 16..end + 20].try_into().unwrap()) as usize..end];
    let mut out = one[..end].to_vec();
    for _ in 1..5000 {
        out.extend(entry);
    }
    let mut last = one[end..].to_vec();
    last[8..10].copy_from_slice(&5000u16.to_le_bytes());
    last[10..12].copy_from_slice(&5000u16.to_le_bytes());
    last[12..16].copy_from_slice(&u32::try_from(entry.len() * 5000).unwrap().to_le_bytes());
    out.extend(last);
    let report = alarms("shared", &out);
    assert!(has(&report, "model/decompression-bomb"), "{report:?}");
    assert_eq!(report.coverage.status, CoverageStatus::Partial, "{report:?}");
}

/// A header of a member with its sum.
fn member(name: &str, kind: u8, size: usize, data: &[u8], mark: bool) -> Vec<u8> {
    let mut out = vec![0u8; 512];
    out[..name.len()].copy_from_slice(name.as_bytes());
    out[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    out[156] = kind;
    if mark {
        out[257..263].copy_from_slice(b"ustar\0");
    }
    out[148..156].fill(b' ');
    let sum: u32 = out.iter().map(|b| u32::from(*b)).sum();
    out[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    out[154] = 0;
    out.extend(data);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

#[test]
fn tar_is_read_as_python_does() {
    let bad = bad();
    let ending = [0u8; 1024];
    let file = |kind: u8| join(&[&member("m", kind, bad.len(), &bad, true), &ending]);
    for kind in [b'0', 0, b'7', b'Z', b'S', b'V'] {
        assert_eq!(alarms("kind", &file(kind)).worst(), Some(Severity::Critical), "{kind}");
    }
    // A folder with a size hides the member behind it from readers that skip it.
    let folder = join(&[&member("d", b'5', 1024, &[], true), &member("m", b'0', bad.len(), &bad, true), &ending]);
    let report = alarms("folder", &folder);
    assert!(has(&report, "model/container-mismatch") && report.worst() == Some(Severity::Critical), "{report:?}");
    let path = b"21 path=../../x.conf\n";
    let pax = join(&[&member("p", b'x', path.len(), path, true), &member("m", b'0', 2, b"hi", true), &ending]);
    assert!(has(&alarms("pax", &pax), "model/path-traversal"));
    let long = join(&[&member("k", b'K', 8, b"../../x\0", true), &member("m", b'2', 0, b"", true), &ending]);
    assert!(has(&alarms("long link", &long), "model/path-traversal"));
    let sized = b"12 size=512\n";
    let two = join(&[&member("p", b'x', sized.len(), sized, true), &member("m", b'0', 4, b"data", true), &ending]);
    assert!(has(&alarms("sizes", &two), "model/container-mismatch"));
    // The oldest archives have no mark.
    assert_eq!(
        alarms("no mark", &join(&[&member("m", 0, bad.len(), &bad, false), &ending])).worst(),
        Some(Severity::Critical)
    );
    let open = member("m", b'0', 2, b"hi", true);
    assert_eq!(scan(&open).coverage.status, CoverageStatus::Partial);
    quiet("tar", &join(&[&open, &ending]));
    alarms("behind the end", &join(&[&open, &ending, &member("m", b'0', bad.len(), &bad, true), &ending]));
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A frame of zstd with one block that is stored.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap();
    let head = len << 3 | 1;
    join(&[b"\x28\xb5\x2f\xfd\xa0", &len.to_le_bytes(), &head.to_le_bytes()[..3], bytes])
}

#[test]
fn what_follows_compressed_data_is_read() {
    let (bad, good) = (bad(), b"\x80\x02}.");
    let skipped = b"\x5a\x2a\x4d\x18\x04\0\0\0abcd";
    let lz4 = |bytes: &[u8]| {
        let mut out = lz4_flex::frame::FrameEncoder::new(Vec::new());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    for (name, bytes) in [
        ("zstd", join(&[&zstd(good), &zstd(&bad)])),
        ("zstd, skipped", join(&[skipped, &zstd(good), skipped, &zstd(&bad)])),
        ("zlib", join(&[&zlib(good), &bad])),
        ("gzip", join(&[&gzip(good), &gzip(&bad)])),
        ("gzip, then a pickle", join(&[&gzip(good), &bad])),
        ("xz", join(&[XZ_GOOD, XZ_BAD])),
        ("lz4", join(&[&lz4(good), &lz4(&bad)])),
    ] {
        alarms(name, &bytes);
    }
    quiet("zstd", &join(&[skipped, &zstd(good)]));
    quiet("gzip and zeros", &join(&[&gzip(good), &[0; 512]]));
    let report = scan(&join(&[&zlib(good), b"xx"]));
    assert!(has(&report, "model/unowned-bytes"), "{report:?}");
}

#[test]
fn lzma_without_a_container_is_told_by_its_header() {
    // A usual size of the dictionary, and another one.
    for dictionary in [&[0, 0, 0x80, 0][..], &[0, 1, 1, 0]] {
        let bytes = join(&[b"\x5d", dictionary, LZMA_BAD]);
        assert_eq!(alarms("lzma", &bytes).worst(), Some(Severity::Critical), "{dictionary:?}");
    }
}

#[test]
fn words_alone_make_no_checkpoint_and_zeros_no_numbers() {
    let mut fake = b"\xde\xad\xbe\xef\x00\x01\x02\x03".to_vec();
    fake.extend(b"x/.ATTRIBUTES/VARIABLE_VALUE\xff\xfe");
    seen("checkpoint", &fake);
    let mut zeros = vec![0u8; 4096];
    zeros[7..16].copy_from_slice(b"\x83garbage\xff");
    zeros[100..140].copy_from_slice(b"this is a name of some file, not numbers");
    seen("zeros", &zeros);
    let weights: Vec<u8> = (0..256u16).flat_map(|n| (f32::from(n) / 100.0).to_le_bytes()).collect();
    quiet("numbers", &weights);
}

#[test]
fn handles_and_escapes_of_yaml_are_resolved() {
    for (name, text) in [
        ("handle", "%TAG ! tag:yaml.org,2002:\n--- !python/object/apply:os.system\n- 'true'\n"),
        ("named handle", "%TAG !e! tag:yaml.org,2002:python/\n---\nx: !e!object/apply:os.system ['true']\n"),
        ("escape", "x: !!pyth%6Fn/object/apply:os.system ['true']\n"),
        ("verbatim", "x: !<tag:yaml.org,2002:python/object/apply:os.system> ['true']\n"),
        ("in a list", "[a, !!python/name:os.system ]\n"),
        ("behind python", "import os\nimport sys\n--- !!python/object/apply:os.system\n- 'true'\n"),
        ("own", "x: !apply:os.system\n"),
    ] {
        alarms(name, text.as_bytes());
    }
    for text in [
        "x: !!str 5\n",
        "a: 'no !!python/object here'\nb: \"!!python/x\"\n",
        "# !!python/object\na: 1\n",
        "Wow !!! That is !important, is it !!not?\n![image](x.png)\n",
        "model: !new:speechbrain.nnet.RNN\n  size: !ref <size>\n",
        "x: !!python/tuple [1, 2]\n",
    ] {
        quiet(text, text.as_bytes());
    }
}

#[test]
fn vocabularies_and_media_are_known() {
    let piece = |text: &str, kind: u8| {
        let len = u8::try_from(text.len()).unwrap();
        let inner = join(&[&[0x0a, len], text.as_bytes(), &[0x15, 0, 0, 0x80, 0xbf, 0x18, kind]]);
        join(&[&[0x0a, u8::try_from(inner.len()).unwrap()], &inner])
    };
    let pieces = join(&[&piece("<unk>", 2), &piece("<s>", 3), &piece("\u{2581}the", 1), &piece("\u{2581}a", 1)]);
    assert_eq!(quiet("sentencepiece", &pieces).format, "sentencepiece");
    let event = b"\x09\0\0\x80\xaf\x10\x1c\xd9\x41\x1a\x0dbrain.Event:2";
    let events = join(&[&(event.len() as u64).to_le_bytes(), b"\x01\x02\x03\x04", event, b"\x05\x06\x07\x08"]);
    for (name, bytes) in [
        ("wav", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0".to_vec()),
        ("webp", b"RIFF\x24\0\0\0WEBPVP8 \x10\0\0\0".to_vec()),
        ("mp4", b"\0\0\0\x18ftypisom\0\0\x02\0".to_vec()),
        ("font", b"\0\x01\0\0\0\x0c\0\x80\0\x03\0\x40OS/2\xfe\xed".to_vec()),
        ("font", b"wOF2\0\x01\0\0\xff\xff".to_vec()),
        ("events", events),
    ] {
        assert_eq!(quiet(name, &bytes).coverage.status, CoverageStatus::Structural, "{name}");
    }
}
