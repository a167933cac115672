//! What is left in a corpus, and that nothing else in it changes.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field};
use bartizan_core::EngineId;
use bartizan_guard::{Guard, Settings};

use super::*;
use crate::layout::Columns;
use crate::pass::{Corpus, Shard};
use crate::read::{Reading, Unit, read};

const MAIL: &str = "ann.lee@posteo.org";

fn guard() -> Guard {
    Guard::new(&Settings::default()).unwrap()
}

fn corpus(path: &Path) -> Corpus {
    let units = crate::read::units(&[path.to_owned()]).unwrap();
    Corpus { units, reading: Reading::default(), columns: Columns::default(), shard: Shard::ALL }
}

fn target(out: &Path, file: bool) -> Target {
    Target { out: out.to_owned(), file, quarantine: out.with_extension("aside"), removed: out.with_extension("gone") }
}

fn run(guard: &Guard, from: &Path, out: &Path, on: &[&str], names: Option<&Names>) -> (Vec<Cleaned>, Vec<Looked>) {
    let corpus = corpus(from);
    let plan = Plan::new(on.iter().map(|on| on.parse().unwrap()).collect(), names.is_some());
    let scanner = Scanner::new(&corpus, Some(guard));
    let mut seen = Vec::new();
    let made = Cleaning { scanner, plan: &plan, names }
        .run(&target(out, from.is_file()), &mut |passed| {
            if let Passed::Row(_, looked) = passed {
                seen.push(looked);
            }
            Ok(())
        })
        .unwrap();
    (made, seen)
}

#[test]
fn lines_that_do_not_change_keep_their_bytes_and_the_others_lose_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let same = r#"{"text":  "plain words",   "n": 1.50}"#;
    let mail = format!(r#"{{"id":"d1","text":"write to {MAIL} now","n":1.50}}"#);
    let broken = r#"{"text":"cut"#;
    fs::write(at("in.jsonl"), [same, &mail, broken, ""].join("\n")).unwrap();
    let guard = guard();
    let (made, seen) = run(&guard, &at("in.jsonl"), &at("out.jsonl"), &[], None);
    let text = fs::read_to_string(at("out.jsonl")).unwrap();
    let masked = r#"{"id":"d1","text":"write to [REDACTED:EMAIL_ADDRESS] now","n":1.50}"#;
    assert_eq!(text, format!("{same}\n{masked}\n"));
    assert_eq!((made[0].unread, made[0].output.as_ref().unwrap().rows), (1, 2));
    assert_eq!(made[0].actions.get(&Action::Mask), Some(&1));
    assert_eq!(made[0].rules["pii/email"][&Choice::Redact], 1);
    assert_eq!(seen[1].worst(), None, "what was masked is not left");
    // The broken line is not lost.
    assert_eq!(fs::read_to_string(at("out.aside")).unwrap(), format!("{broken}\n"));
    for (on, text) in [("pii=drop", ""), ("pii=quarantine", mail.as_str())] {
        let out = at(&format!("{}.jsonl", on.len()));
        let (made, seen) = run(&guard, &at("in.jsonl"), &out, &[on, "unread=drop"], None);
        assert_eq!(fs::read_to_string(&out).unwrap(), format!("{same}\n"), "{on}");
        let aside = fs::read_to_string(out.with_extension("aside")).unwrap_or_default();
        assert_eq!(aside.trim_end(), text, "{on}");
        assert_eq!(made[0].quarantine.is_some(), !text.is_empty());
        let gone = fs::read_to_string(out.with_extension("gone")).unwrap();
        assert!(gone.contains(r#""row":1,"id":"d1""#) && gone.contains(r#"["pii/email"]"#), "{gone}");
        assert!(!gone.contains(MAIL));
        assert_eq!(seen.len(), 2);
    }
    let (made, seen) = run(&guard, &at("in.jsonl"), &at("kept.jsonl"), &["pii/email=keep"], None);
    assert!(fs::read_to_string(at("kept.jsonl")).unwrap().contains(MAIL));
    assert_eq!(made[0].actions.get(&Action::Pass), Some(&2));
    assert!(seen[1].worst().is_some());
}

#[test]
fn a_value_has_one_surrogate_under_a_key_in_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("in/deep")).unwrap();
    fs::write(at("in/a.csv"), format!("text,label\n\"mail {MAIL}, please\",1\nother words,0\n")).unwrap();
    fs::write(at("in/deep/b.json"), format!(r#"[{{"text":"{MAIL} said so"}}, {{"text":"nothing"}}]"#)).unwrap();
    let guard = guard();
    let names = |key: &str| Names::new(&key.repeat(32)).unwrap();
    let (one, two) = (names("a"), names("b"));
    assert!(Names::new("short").is_err() && one.hint() != two.hint());
    run(&guard, &at("in"), &at("out"), &["pii=pseudonym"], Some(&one));
    let table = fs::read_to_string(at("out/a.csv")).unwrap();
    let surrogate = table.split_once("mail ").unwrap().1.split_once(", please").unwrap().0.to_owned();
    assert!(surrogate.ends_with("@example.com"), "{table}");
    assert!(table.starts_with("text,label\n\"") && table.ends_with("\nother words,0\n"), "{table}");
    let list = fs::read_to_string(at("out/deep/b.json")).unwrap();
    assert_eq!(list, format!("[\n{{\"text\":\"{surrogate} said so\"}},\n{{\"text\":\"nothing\"}}\n]\n"));
    run(&guard, &at("in"), &at("other"), &["pii=pseudonym"], Some(&two));
    assert!(!fs::read_to_string(at("other/a.csv")).unwrap().contains(&surrogate));
    // The same run makes the same bytes.
    run(&guard, &at("in"), &at("again"), &["pii=pseudonym"], Some(&one));
    for name in ["a.csv", "deep/b.json"] {
        assert_eq!(fs::read(at("out").join(name)).unwrap(), fs::read(at("again").join(name)).unwrap());
    }
}

#[test]
fn columnar_files_keep_their_schema_and_their_other_values() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text: ArrayRef = Arc::new(StringArray::from(vec![
        Some("plain".to_owned()),
        None,
        Some(format!("to {MAIL}")),
        Some(MAIL.into()),
    ]));
    let number: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(4)]));
    let fields = vec![Field::new("role", DataType::Utf8, true), Field::new("content", DataType::Utf8, true)];
    let mut turns = ListBuilder::new(StructBuilder::from_fields(fields, 4));
    for row in 0..4 {
        for turn in 0..row {
            let fields = turns.values();
            let said = if turn == 1 { format!("ask {MAIL} then") } else { "said plainly".to_owned() };
            fields.field_builder::<StringBuilder>(0).unwrap().append_value("user");
            fields.field_builder::<StringBuilder>(1).unwrap().append_value(said);
            fields.append(true);
        }
        turns.append(true);
    }
    let turns: ArrayRef = Arc::new(turns.finish());
    let batch = RecordBatch::try_from_iter([("n", number), ("text", text), ("messages", turns)]).unwrap();
    fs::create_dir(at("in")).unwrap();
    let mut parquet =
        parquet::arrow::ArrowWriter::try_new(fs::File::create(at("in/a.parquet")).unwrap(), batch.schema(), None)
            .unwrap();
    parquet.write(&batch).unwrap();
    parquet.flush().unwrap();
    parquet.write(&batch).unwrap();
    parquet.close().unwrap();
    let mut file =
        arrow_ipc::writer::FileWriter::try_new(fs::File::create(at("in/b.arrow")).unwrap(), &batch.schema()).unwrap();
    file.write(&batch).unwrap();
    file.finish().unwrap();
    let mut stream =
        arrow_ipc::writer::StreamWriter::try_new(fs::File::create(at("in/c.arrow")).unwrap(), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    stream.finish().unwrap();
    let guard = guard();
    let (made, _) = run(&guard, &at("in"), &at("out"), &["pii=redact"], None);
    let rows = |path: &Path| {
        let mut rows = Vec::new();
        let unit = Unit::new(path.to_owned(), String::new());
        read(&unit, &Reading::default(), &mut |item| {
            if let Item::Row(record) = item {
                rows.push(record.cell().unwrap().json().to_string());
            }
            Ok(())
        })
        .unwrap();
        rows
    };
    for (name, copies) in [("a.parquet", 2), ("b.arrow", 1), ("c.arrow", 1)] {
        let (before, after) = (rows(&at("in").join(name)), rows(&at("out").join(name)));
        assert_eq!(before.len(), 4 * copies);
        let wanted: Vec<String> = before.iter().map(|row| row.replace(MAIL, "[REDACTED:EMAIL_ADDRESS]")).collect();
        assert_eq!(after, wanted, "{name}");
    }
    let (made_of, output) = (&made[0], made[0].output.as_ref().unwrap());
    assert_eq!((made_of.actions[&Action::Mask], output.rows), (4, 8));
    let (dropped, _) = run(&guard, &at("in"), &at("less"), &["pii=drop"], None);
    assert_eq!(rows(&at("less/a.parquet")).len(), 4);
    assert_eq!(dropped[0].actions[&Action::Drop], 4);
}

#[test]
fn compressed_files_stay_compressed_and_text_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("in")).unwrap();
    let lines = format!("{{\"text\":\"one\"}}\n{{\"text\":\"{MAIL}\"}}\n");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut gz, lines.as_bytes()).unwrap();
    fs::write(at("in/a.jsonl.gz"), gz.finish().unwrap()).unwrap();
    let zst = ruzstd::encoding::compress_to_vec(lines.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    fs::write(at("in/b.jsonl.zst"), zst).unwrap();
    fs::write(at("in/c.txt"), format!("first\n\n  {MAIL}\nlast\n")).unwrap();
    fs::write(at("in/d.bin"), [0, 159, 146, 150]).unwrap();
    let (made, _) = run(&guard(), &at("in"), &at("out"), &[], None);
    assert_eq!(fs::read(at("out/a.jsonl.gz")).unwrap()[..2], [0x1f, 0x8b]);
    assert_eq!(fs::read(at("out/b.jsonl.zst")).unwrap()[..2], [0x28, 0xb5]);
    for name in ["a.jsonl.gz", "b.jsonl.zst"] {
        let unit = Unit::new(at("out").join(name), String::new());
        let mut texts = Vec::new();
        read(&unit, &Reading::default(), &mut |item| {
            if let Item::Row(record) = item {
                texts.push(record.cell().unwrap().get("text").unwrap().word().unwrap());
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(texts, ["one", "[REDACTED:EMAIL_ADDRESS]"], "{name}");
    }
    assert_eq!(fs::read_to_string(at("out/c.txt")).unwrap(), "first\n\n  [REDACTED:EMAIL_ADDRESS]\nlast\n");
    assert!(!at("out/d.bin").exists() && made[3].output.is_none());
}

#[test]
fn a_manifest_says_what_was_written_and_nothing_else_passes_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("in")).unwrap();
    fs::write(at("in/a.jsonl"), "{\"text\":\"one\"}\n").unwrap();
    fs::write(at("in/b.jsonl"), "{\"text\":\"two\"}\n").unwrap();
    let (files, _) = run(&guard(), &at("in"), &at("out"), &[], None);
    let manifest = Manifest {
        name: "out",
        file: false,
        files: &files,
        version: "0",
        rules: &EngineId::default(),
        choices: Vec::new(),
        key: None,
        denied: false,
        worst: None,
        coverage: &bartizan_core::Coverage::default(),
    };
    let statement = manifest.statement();
    let read = said(&statement).unwrap().unwrap();
    assert_eq!(read.files.entries.iter().map(|e| e.path.as_str()).collect::<Vec<_>>(), ["a.jsonl", "b.jsonl"]);
    assert!(statement.is_about(&read.sha256) && !read.denied);
    let mut other = statement.clone();
    other.subject[1].name = "../a.jsonl".to_owned();
    assert!(said(&other).is_err());
    let mut other = statement.clone();
    other.subject.pop();
    assert!(said(&other).is_err());
    let mut other = statement.clone();
    other.predicate["verdict"] = "fine".into();
    assert!(said(&other).is_err());
    let mut other = statement;
    other.predicate_type = "else".to_owned();
    assert!(said(&other).unwrap().is_none());
}

/// Rows of which two hold an address, in every way in which Arrow holds texts.
fn shared() -> RecordBatch {
    let texts = ["plain words that are long", MAIL, "other words that are long", "mail bob.ray@posteo.org at once"];
    let views: ArrayRef = Arc::new(arrow_array::StringViewArray::from_iter_values(texts));
    let bytes: ArrayRef = Arc::new(arrow_array::BinaryViewArray::from_iter_values(texts.map(str::as_bytes)));
    let named: arrow_array::DictionaryArray<arrow_array::types::Int8Type> = texts.into_iter().collect();
    let named: ArrayRef = Arc::new(named);
    let mut lists = ListBuilder::new(arrow_array::builder::StringViewBuilder::new());
    for text in texts {
        lists.append_value([Some(text), None]);
    }
    let fields = [
        (Arc::new(Field::new("views", DataType::Utf8View, false)), Arc::clone(&views)),
        (Arc::new(Field::new("named", named.data_type().clone(), false)), Arc::clone(&named)),
    ];
    let parts: ArrayRef = Arc::new(arrow_array::StructArray::from(fields.to_vec()));
    let lists: ArrayRef = Arc::new(lists.finish());
    let all = [("views", views), ("bytes", bytes), ("named", named), ("lists", lists), ("parts", parts)];
    RecordBatch::try_from_iter(all).unwrap()
}

#[test]
fn what_is_left_out_of_columnar_files_is_nowhere_in_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let batch = shared();
    fs::create_dir(at("in")).unwrap();
    let create = |name: &str| fs::File::create(at("in").join(name)).unwrap();
    let mut file = arrow_ipc::writer::FileWriter::try_new(create("a.arrow"), &batch.schema()).unwrap();
    let mut stream = arrow_ipc::writer::StreamWriter::try_new(create("b.arrow"), &batch.schema()).unwrap();
    let mut parquet = parquet::arrow::ArrowWriter::try_new(create("c.parquet"), batch.schema(), None).unwrap();
    // Views of a slice share its buffers, and batches share a dictionary.
    for part in [batch.slice(0, 3), batch.slice(3, 1), batch.slice(0, 1)] {
        file.write(&part).unwrap();
        stream.write(&part).unwrap();
        parquet.write(&part).unwrap();
    }
    file.finish().unwrap();
    stream.finish().unwrap();
    parquet.close().unwrap();
    let holds =
        |path: &Path, word: &str| fs::read(path).unwrap().windows(word.len()).any(|bytes| bytes == word.as_bytes());
    for on in ["pii=drop", "pii=quarantine"] {
        let out = at(on);
        let (made, _) = run(&guard(), &at("in"), &out, &[on], None);
        for (file, name) in made.iter().zip(["a.arrow", "b.arrow", "c.parquet"]) {
            assert_eq!(file.output.as_ref().unwrap().rows, 3, "{name}");
            let path = out.join(name);
            assert!(!holds(&path, "ann.lee") && !holds(&path, "bob.ray") && holds(&path, "plain words"), "{on} {name}");
            if on == "pii=quarantine" {
                let path = out.with_extension("aside").join(name);
                assert!(holds(&path, "ann.lee") && !holds(&path, "plain words"), "{name}");
            }
            let mut texts = Vec::new();
            read(&Unit::new(out.join(name), String::new()), &Reading::default(), &mut |item| {
                if let Item::Row(record) = item {
                    texts.push(record.cell().unwrap().get("named").unwrap().word().unwrap());
                }
                Ok(())
            })
            .unwrap();
            assert_eq!(texts, ["plain words that are long", "other words that are long", "plain words that are long"]);
        }
    }
}

/// Rows of which the second holds an address in one column, in the ways in which columns rarely hold texts.
fn rare() -> Vec<(&'static str, ArrayRef)> {
    use arrow_array::builder::{ListViewBuilder, StringRunBuilder};
    use arrow_array::types::Int32Type;
    use arrow_schema::UnionFields;
    let said = |text: &str| text.replace('@', " at ");
    let texts = ["plain words that are long", MAIL, "other words that are long"];
    let mut views = ListViewBuilder::new(StringBuilder::new());
    let mut runs = StringRunBuilder::<Int32Type>::new();
    for text in texts {
        views.append_value([Some(text), None]);
        runs.append_value(text);
    }
    let fields = [Field::new("n", DataType::Int64, false), Field::new("text", DataType::Utf8, false)];
    let fields = UnionFields::try_new([0, 1], fields).unwrap();
    let numbers = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let strings = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let dense = arrow_array::UnionArray::try_new(
        fields.clone(),
        vec![1_i8, 1, 0].into(),
        Some(vec![0_i32, 1, 0].into()),
        vec![numbers(vec![7]), strings(texts[..2].iter().map(ToString::to_string).collect())],
    );
    let hidden = said("bob.ray@posteo.org under a number");
    let sparse = arrow_array::UnionArray::try_new(
        fields,
        vec![0_i8, 1, 1].into(),
        None,
        vec![numbers(vec![1, 2, 3]), strings(vec![hidden, MAIL.to_owned(), texts[2].to_owned()])],
    );
    vec![
        ("views", Arc::new(views.finish())),
        ("runs", Arc::new(runs.finish())),
        ("dense", Arc::new(dense.unwrap())),
        ("sparse", Arc::new(sparse.unwrap())),
    ]
}

#[test]
fn rare_columns_are_written_again_without_what_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let guard = guard();
    for (name, column) in rare() {
        let batch = RecordBatch::try_from_iter([(name, column)]).unwrap();
        let input = at(name).with_extension("arrow");
        let mut file =
            arrow_ipc::writer::FileWriter::try_new(fs::File::create(&input).unwrap(), &batch.schema()).unwrap();
        file.write(&batch).unwrap();
        file.write(&batch.slice(1, 2)).unwrap();
        file.finish().unwrap();
        for on in ["pii=drop", "pii=redact"] {
            let out = at(&format!("{name}-{on}"));
            let (made, _) = run(&guard, &input, &out, &[on], None);
            assert_eq!(made[0].output.as_ref().unwrap().rows, 3, "{name} {on}: {made:?}");
            // A place in such a column cannot be masked, so its row is set aside.
            assert_eq!(made[0].quarantine.is_some(), on == "pii=redact", "{name}");
            let bytes = fs::read(&out).unwrap();
            let holds = |word: &str| bytes.windows(word.len()).any(|bytes| bytes == word.as_bytes());
            assert!(!holds("ann.lee") && !holds("bob.ray"), "{name} {on}");
            assert!(holds(if name == "dense" { "plain words" } else { "other words" }), "{name} {on}");
        }
    }
}

#[test]
fn what_is_gone_is_for_its_owner_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("in.jsonl"), format!("{{\"id\":\"{MAIL}\",\"uid\":\"d1\",\"text\":\"words\"}}\n")).unwrap();
    run(&guard(), &at("in.jsonl"), &at("out.jsonl"), &["pii=quarantine"], None);
    let gone = fs::read_to_string(at("out.gone")).unwrap();
    assert!(!gone.contains(MAIL) && gone.contains(r#""id":"d1""#), "{gone}");
    #[cfg(unix)]
    for name in ["out.gone", "out.aside"] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(at(name)).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    fs::remove_file(at("out.jsonl")).unwrap();
    let corpus = corpus(&at("in.jsonl"));
    let (plan, guard) = (Plan::default(), guard());
    let scanner = Scanner::new(&corpus, Some(&guard));
    let again = || Cleaning { scanner, plan: &plan, names: None }.run(&target(&at("out.jsonl"), true), &mut |_| Ok(()));
    assert!(again().unwrap_err().to_string().contains("there already"));
    fs::remove_file(at("out.gone")).unwrap();
    assert!(again().unwrap_err().to_string().contains("there already"));
    assert!(fs::read_to_string(at("out.aside")).unwrap().contains(MAIL));
}

#[test]
fn a_table_whose_names_hold_what_is_to_go_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("in.csv"), format!("plain words,{MAIL}\nother words,1\nmore words,0\n")).unwrap();
    let (made, seen) = run(&guard(), &at("in.csv"), &at("out.csv"), &["pii=redact"], None);
    assert!(made[0].output.is_none() && !at("out.csv").exists());
    assert_eq!(made[0].actions[&Action::Quarantine], 2);
    assert!(seen[0].report.findings.iter().any(|found| found.rule.as_str() == "pii/email"));
    assert_eq!(fs::read_to_string(at("out.aside")).unwrap(), fs::read_to_string(at("in.csv")).unwrap());
    // A short name that is no identifier of a column.
    fs::write(at("short.csv"), "a,b@c.org\n1,2\n").unwrap();
    let (_, seen) = run(&guard(), &at("short.csv"), &at("kept.csv"), &["pii=keep"], None);
    assert!(seen[0].worst().is_some() && at("kept.csv").exists());
    fs::write(at("in.jsonl"), format!("{{\"{MAIL}\":\"x\"}}\n")).unwrap();
    let (made, _) = run(&guard(), &at("in.jsonl"), &at("lines.jsonl"), &["pii=redact"], None);
    assert_eq!(made[0].actions.get(&Action::Quarantine), Some(&1));
}

#[test]
fn what_is_around_the_rows_stays() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mail = format!("write to {MAIL} now");
    let plain = "nothing is in this one at all";
    for (name, from, to) in [
        (
            "a.json",
            format!("{{\"data\": [{{\"a\":\"{mail}\"}},{{\"a\":\"{plain}\"}}] }}\n"),
            format!("{{\"data\": [\n{{\"a\":\"{plain}\"}}\n] }}\n"),
        ),
        ("b.csv", format!("text;kind\n{mail};1\n{plain};0\n"), format!("text;kind\n{plain};0\n")),
        ("c.csv", format!("1,{mail} again\n1,{plain}\n"), format!("1,{plain}\n")),
    ] {
        fs::write(at(name), from).unwrap();
        let out = at(&format!("out.{name}"));
        run(&guard(), &at(name), &out, &["pii=drop"], None);
        assert_eq!(fs::read_to_string(&out).unwrap(), to, "{name}");
    }
}
