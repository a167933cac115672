//! Every format gives the same rows, and nothing that is broken hides what is not.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_ipc::writer::{FileWriter, StreamWriter};

use super::*;

fn all(path: &Path, reading: &Reading) -> (Vec<(u64, String)>, Vec<Gap>) {
    let unit = Unit::new(path.to_owned(), "u".to_owned());
    let (mut rows, mut gaps) = (Vec::new(), Vec::new());
    read(&unit, reading, &mut |item| {
        match item {
            Item::Row(record) => {
                let row = record.row;
                match record.cell() {
                    Ok(cell) => rows.push((row, cell.json().to_string())),
                    Err(why) => gaps.push(Gap {
                        source: String::new(),
                        row: Some(row),
                        place: String::new(),
                        why,
                        bytes: 0,
                        structural: false,
                        next: row,
                    }),
                }
            }
            Item::Gap(gap) => gaps.push(gap),
            Item::Form(_) | Item::Batch(_) => {}
        }
        Ok(())
    })
    .unwrap();
    (rows, gaps)
}

fn batch() -> RecordBatch {
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("one, \"two\""), None, Some("dr\u{e9}i")]));
    let label: ArrayRef = Arc::new(Int64Array::from(vec![1, 0, 1]));
    RecordBatch::try_from_iter([("text", text), ("label", label)]).unwrap()
}

const WANTED: [&str; 3] =
    [r#"{"label":1,"text":"one, \"two\""}"#, r#"{"label":0,"text":null}"#, "{\"label\":1,\"text\":\"dr\u{e9}i\"}"];

#[test]
fn formats_give_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let lines = WANTED.join("\n");
    fs::write(at("a.jsonl"), &lines).unwrap();
    fs::write(at("a.json"), format!("[{}]", WANTED.join(",\n"))).unwrap();
    fs::write(at("unnamed"), format!("\u{feff}{lines}\n\n")).unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, lines.as_bytes()).unwrap();
    fs::write(at("a.jsonl.gz"), gz.finish().unwrap()).unwrap();
    let half = lines.len() / 2;
    let frame = |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    fs::write(at("a.zst"), [frame(&lines.as_bytes()[..half]), frame(&lines.as_bytes()[half..])].concat()).unwrap();
    let batch = batch();
    let mut file = FileWriter::try_new(File::create(at("a.arrow")).unwrap(), &batch.schema()).unwrap();
    file.write(&batch).unwrap();
    file.finish().unwrap();
    let mut stream = StreamWriter::try_new(File::create(at("b.arrow")).unwrap(), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    stream.finish().unwrap();
    let mut parquet =
        ::parquet::arrow::ArrowWriter::try_new(File::create(at("a.parquet")).unwrap(), batch.schema(), None).unwrap();
    parquet.write(&batch).unwrap();
    parquet.close().unwrap();
    for name in ["a.jsonl", "a.json", "unnamed", "a.jsonl.gz", "a.zst", "a.arrow", "b.arrow", "a.parquet"] {
        let (rows, gaps) = all(&at(name), &Reading::default());
        let wanted: Vec<_> = WANTED.iter().enumerate().map(|(n, row)| (n as u64, (*row).to_owned())).collect();
        assert_eq!((rows, gaps), (wanted, Vec::new()), "{name}");
    }
    fs::write(at("a.csv"), "text,label\n\"one, \"\"two\"\"\",1\n,0\ndr\u{e9}i,1,more\n").unwrap();
    let (rows, gaps) = all(&at("a.csv"), &Reading::default());
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].1, r#"{"label":"1","text":"one, \"two\""}"#);
    assert!(rows[2].1.contains("column 3"), "{rows:?}");
    assert!(gaps.is_empty());
    fs::write(at("a.tsv"), "sentence\tlabel\nan \"open quote\t1\nnext\t0\n").unwrap();
    assert_eq!(all(&at("a.tsv"), &Reading::default()).0.len(), 2);
}

#[test]
fn broken_rows_are_named_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(300));
    fs::write(&path, [b"{\"text\":\"a\"}\n{\"text\":\n\xff\n", long.as_bytes(), b"\n{\"text\":\"b\"}"].concat())
        .unwrap();
    let (rows, gaps) = all(&path, &Reading { max_row: 100, lines: false });
    assert_eq!(rows.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [0, 4]);
    assert_eq!(gaps.len(), 3, "{gaps:?}");
    assert_eq!(gaps.iter().map(|g| g.row).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
}

#[test]
fn files_that_are_cut_short_give_what_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let batch = batch();
    let mut writer =
        ::parquet::arrow::ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let bytes = fs::read(&path).unwrap();
    for cut in (4..bytes.len()).step_by(7) {
        fs::write(&path, &bytes[..cut]).unwrap();
        let (rows, gaps) = all(&path, &Reading::default());
        assert!(rows.is_empty() && gaps.len() == 1, "{cut}");
    }
    for at in (8..bytes.len()).step_by(11) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        all(&path, &Reading::default());
    }
    let json = folder.path().join("a.json");
    fs::write(&json, r#"[{"text":"a"},{"text":"b"},{"te"#).unwrap();
    let (rows, gaps) = all(&json, &Reading::default());
    assert_eq!((rows.len(), gaps.len()), (2, 1));
    let gz = folder.path().join("a.jsonl.gz");
    fs::write(&gz, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]).unwrap();
    assert_eq!(all(&gz, &Reading::default()).1.len(), 1);
}

#[test]
fn plain_text_is_a_row_per_file_or_per_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "one\r\n\ntwo\nthr\u{e9}e").unwrap();
    assert_eq!(all(&path, &Reading::default()).0.len(), 1);
    let (rows, _) = all(&path, &Reading { lines: true, ..Reading::default() });
    assert_eq!(
        rows.iter().map(|(_, r)| r.as_str()).collect::<Vec<_>>(),
        [r#"{"text":"one"}"#, r#"{"text":"two"}"#, "{\"text\":\"thr\u{e9}e\"}"]
    );
    fs::write(&path, "\u{e9}".repeat(3 << 20)).unwrap();
    let (rows, gaps) = all(&path, &Reading::default());
    let total: usize = rows.iter().map(|(_, r)| r.chars().filter(|c| *c == '\u{e9}').count()).sum();
    assert_eq!((total, gaps.len()), (3 << 20, 0));
    assert!(rows.len() > 5);
    fs::write(&path, [0, 159, 146, 150]).unwrap();
    assert!(all(&path, &Reading::default()).1[0].structural);
}

#[test]
fn tables_tell_what_is_between_fields_and_whether_they_have_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("a.csv");
    let long = "the last of the things that were said of it, all in all";
    let read = |text: String| {
        fs::write(&at, text).unwrap();
        all(&at, &Reading::default()).0.into_iter().map(|(_, row)| row).collect::<Vec<_>>()
    };
    let many = |row: &str| (0..30).map(|_| row).collect::<String>();
    for between in [',', ';', '|', '\t'] {
        let rows = read(format!("text{between}kind\n{}", many(&format!("\"{long}\"{between}b\n"))));
        assert_eq!(rows.len(), 30, "{between:?}");
        assert_eq!(rows[0], serde_json::json!({ "text": long, "kind": "b" }).to_string(), "{between:?}");
    }
    // Commas of a text are between no fields.
    assert_eq!(read(format!("note\nso, yes\n{}", many("well\n")))[1], r#"{"note":"well"}"#);
    let bare = many(&format!("3,\"{long}\"\n4,\"{long}\"\n"));
    let rows = read(bare.clone());
    assert_eq!((rows.len(), rows[0].as_str()), (60, format!(r#"{{"column 1":"3","column 2":"{long}"}}"#).as_str()));
    for names in ["label,text", "x,y", ",0", "0,1"] {
        assert_eq!(read(format!("{names}\n{bare}")).len(), 60, "{names}");
    }
}

#[test]
fn an_object_around_a_list_of_rows_is_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("a.json");
    let read = |text: &str| {
        fs::write(&at, text).unwrap();
        all(&at, &Reading::default()).0.len()
    };
    assert_eq!(read(r#"{"data":[{"text":"a]"},{"text":"b"}]}"#), 2);
    assert_eq!(read(r#"{"version":"v1.1","data":[{"text":"a]"},{"text":"b"}],"count":2}"#), 2);
    assert_eq!(read(r#"{"data":[{"text":"a"},{"text":"b"}],"more":[{"text":"c"}]}"#), 1);
    assert_eq!(read(r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#), 1);
    assert_eq!(read(r#"{"note":"words that tell something","data":[{"text":"a"},{"text":"b"}]}"#), 1);
}
