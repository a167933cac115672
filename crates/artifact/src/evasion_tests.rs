//! Files that hide what they do from readers other than the loader, and ordinary ones that look like them. The payloads
//! are inert, and nothing is ever loaded.

use std::fmt::Write as _;

use bartizan_core::{CoverageStatus, Severity};

use crate::tests::{alarms, call, has, join, quiet, scan, text};

/// Of protocol 4, up to a global.
fn global(module: &str, name: &str) -> Vec<u8> {
    join(&[&text(module), &text(name), b"\x93"])
}

fn whole(parts: &[&[u8]]) -> Vec<u8> {
    join(&[b"\x80\x04", &parts.concat(), b"."])
}

#[test]
fn states_that_are_no_plain_dictionaries_are_reported() {
    let object = join(&[&global("types", "SimpleNamespace"), b")R"]);
    let ordered = join(&[&global("collections", "OrderedDict"), b")R"]);
    let system = global("os", "system");
    let ending = join(&[&text("true"), b"b"]);
    // The state is a dictionary that a call made.
    let made = whole(&[&object, &ordered, &text("__setstate__"), &system, b"sb", &ending]);
    assert!(has(&alarms("made", &made), "model/pickle-attribute-write"));
    let pairs = join(&[&text("__setstate__"), &system, b"\x86\x85\x85"]);
    let given = whole(&[&object, &global("collections", "OrderedDict"), &pairs, b"Rb", &ending]);
    assert!(has(&alarms("given", &given), "model/pickle-attribute-write"));
    // The key is made by a call, or by an escape that CPython cuts to a byte.
    let key = join(&[&global("builtins", "str"), b"C\x0c__setstate__", &text("ascii"), b"\x86R"]);
    let called = whole(&[&object, b"}", &key, &system, b"sb", &ending]);
    assert!(has(&alarms("called", &called), "model/pickle-attribute-write"));
    let octal = whole(&[&object, b"}S'\\537_setstate__'\n", &system, b"sb", &ending]);
    assert!(has(&alarms("octal", &octal), "model/pickle-attribute-write"));
    let slots = whole(&[&object, b"N", &ordered, &text("__setstate__"), &system, b"s\x86b", &ending]);
    assert!(has(&alarms("slots", &slots), "model/pickle-attribute-write"));
    // APPEND calls what the instance calls `append`.
    let hook = whole(&[&object, b"}", &text("append"), &system, b"sb", &text("true"), b"a"]);
    assert!(has(&alarms("append", &hook), "model/pickle-attribute-write"));
    // What a class holds is everybody's.
    let member = join(&[&global("builtins", "getattr"), &global("sklearn.base", "Registry"), &text("TABLE"), b"\x86R"]);
    alarms("shared", &whole(&[&member, &text("x"), b"K\x01s"]));
    // The same with ordinary names.
    quiet("ordinary", &whole(&[&object, b"}", &text("alpha"), b"K\x01sb"]));
    quiet("slots and none", &whole(&[&object, b"N}", &text("alpha"), b"K\x01s\x86b"]));
}

#[test]
fn constructors_call_no_method_that_the_file_has_set() {
    let checked =
        join(&[&global("functools", "partial"), &global("sklearn.linear_model._base", "make_dataset"), b"\x85R"]);
    let object = join(&[&global("types", "SimpleNamespace"), b")R}", &text("keys"), &checked, b"sb"]);
    // `dict(object)` calls `object.keys()`.
    for callee in
        [("builtins", "dict"), ("collections", "OrderedDict"), ("collections", "Counter"), ("builtins", "list")]
    {
        alarms(callee.1, &whole(&[&global(callee.0, callee.1), &object, b"\x85R"]));
    }
    // Whatever the object is of.
    let estimator = join(&[&global("sklearn.pipeline", "Pipeline"), b")\x81}", &text("keys"), &checked, b"sb"]);
    alarms("estimator", &whole(&[&global("builtins", "dict"), &estimator, b"\x85R"]));
    alarms("set alone", &whole(&[&estimator]));
    // From Python 3.13 on a mapping given to it becomes attributes.
    let given = join(&[&global("types", "SimpleNamespace"), b"}", &text("append"), &checked, b"s\x85R"]);
    alarms("attributes", &whole(&[&given, &text("true"), b"a"]));
    let pairs = join(&[b"]", &text("a"), &global("sklearn.linear_model._base", "LinearRegression"), b"\x86a"]);
    quiet("pairs", &whole(&[&global("collections", "OrderedDict"), &pairs, b"\x85R"]));
    quiet("values", &whole(&[&global("sklearn.pipeline", "Pipeline"), b")\x81}", &text("values"), b"]sb"]));
    quiet("type of None", &whole(&[&global("builtins", "type"), b"N\x85R"]));
    alarms("type of more", &whole(&[&global("builtins", "type"), &text("X"), b"\x85R"]));
}

#[test]
fn what_frameworks_show_of_others_is_not_theirs() {
    for (module, name) in [
        ("sklearn.utils._testing", "check_output"),
        ("sklearn.utils._testing", "assert_run_python_script_without_output"),
        ("sklearn.datasets._base", "urlretrieve"),
        ("sklearn.utils.discovery", "import_module"),
        ("pandas.io.common", "urlopen"),
        ("pandas", "to_pickle"),
        ("numpy.ctypeslib", "load_library"),
        ("transformers.dynamic_module_utils", "get_class_from_dynamic_module"),
        ("torch", "import_ir_module"),
    ] {
        alarms(name, &whole(&[&global("functools", "partial"), &global(module, name), b"\x85R"]));
    }
    let held = join(&[&global("sklearn.preprocessing._function_transformer", "FunctionTransformer"), b")\x81}"]);
    alarms("held", &whole(&[&held, &text("func"), &global("sklearn.utils._testing", "check_output"), b"sb"]));
}

#[test]
fn states_that_reach_further_are_refused() {
    let state = |class: (&str, &str), pairs: &[u8]| whole(&[&global(class.0, class.1), b")\x81}(", pairs, b"ub"]);
    let array = |file: &str| state(("joblib.numpy_pickle", "NDArrayWrapper"), &join(&[&text("filename"), &text(file)]));
    alarms("elsewhere", &array("/tmp/evil.npy"));
    quiet("beside", &array("model.pkl_01.npy"));
    let formula = join(&[&text("restore_model_spec"), b"\x88", &text("formula"), &text("__import__('os') ~ 1")]);
    alarms("formula", &state(("statsmodels.base.data", "PandasData"), &formula));
    quiet("no formula", &state(("statsmodels.base.data", "PandasData"), &join(&[&text("names"), b"]"])));
    // Destructors free the handle.
    alarms("handle", &state(("xgboost.core", "DMatrix"), &join(&[&text("handle"), b"J\x41\x41\x41\x41"])));
    quiet("booster", &state(("xgboost.core", "Booster"), &join(&[&text("handle"), b"C\x01x"])));
    let dtype = |flags: &[u8]| {
        let made = join(&[&global("numpy", "dtype"), &text("O8"), b"\x89\x88\x87R"]);
        whole(&[&made, b"(K\x03", &text("|"), b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff", flags, b"tb"])
    };
    quiet("objects", &dtype(b"K\x3f"));
    alarms("references from bytes", &dtype(b"K\x00"));
}

#[test]
fn what_becomes_of_a_container_later_counts() {
    // A list goes into the arguments first, and what it holds into the list afterwards.
    let late = whole(&[&global("builtins", "set"), b"]\x94\x85h\x00", &global("mine", "f"), b"a0R"]);
    assert!(has(&alarms("late", &late), "model/pickle-unknown-call"));
    quiet("late and plain", &whole(&[&global("builtins", "set"), b"]\x94\x85h\x00K\x01a0R"]));
}

#[test]
fn functions_that_call_what_they_are_given_get_only_what_frameworks_give() {
    let generator = |bits: &[u8], constructor: &[u8]| {
        whole(&[&global("numpy.random._pickle", "__generator_ctor"), bits, constructor, b"\x86R"])
    };
    let own = global("numpy.random._pickle", "__bit_generator_ctor");
    let run = global("transformers.testing_utils", "run_command");
    let command = join(&[b"](", &text("sh"), &text("-c"), b"e"]);
    alarms("generator", &generator(&command, &run));
    quiet("generator", &generator(&text("PCG64"), &own));
    let class = join(&[&own, &global("numpy.random._pcg64", "PCG64"), b"\x85R"]);
    quiet("bits", &generator(&class, &own));
    alarms("bits", &whole(&[&own, &global("sklearn.svm", "SVC"), b"\x85R"]));
    let index = |class: &[u8]| whole(&[&global("pandas.core.indexes.base", "_new_Index"), class, b"}\x86R"]);
    alarms("index", &index(&global("numpy.core.memmap", "memmap")));
    quiet("index", &index(&global("pandas.core.indexes.range", "RangeIndex")));
    let object = |base: &[u8]| {
        whole(&[&global("copyreg", "_reconstructor"), &global("sklearn.svm._classes", "SVC"), base, b"N\x87R"])
    };
    alarms("base", &object(&global("pandas.core.series", "Series")));
    quiet("base", &object(&global("builtins", "object")));
    alarms("reader", &call("pandas.api.typing", "JsonReader", "http://localhost/"));
}

#[test]
fn nested_builders_of_tensors_do_not_recurse() {
    let builder = global("torch._tensor", "_rebuild_from_type_v2");
    let tensor = global("torch", "Tensor");
    // ((…(function, class, (), None)…): the arguments of each level hold those of the next.
    let mut body = Vec::new();
    for _ in 0..15_000 {
        body.extend(b"(h\x00h\x01");
    }
    body.extend(b")");
    for _ in 0..15_000 {
        body.extend(b"Nt");
    }
    let whole = join(&[b"\x80\x04", &builder, b"\x94", &tensor, b"\x94", b"00h\x00", &body, b"R."]);
    alarms("nested", &whole);
}

/// An array of joblib of one dimension.
fn array(count: u8, dtype: &[u8], raw: &[u8]) -> Vec<u8> {
    join(&[
        b"\x80\x04",
        &global("joblib.numpy_pickle", "NumpyArrayWrapper"),
        b")\x81}(",
        &text("subclass"),
        &global("numpy", "ndarray"),
        &text("shape"),
        &[b'K', count, 0x85],
        &text("order"),
        &text("C"),
        &text("dtype"),
        dtype,
        &text("allow_mmap"),
        b"\x89ub",
        raw,
    ])
}

fn dtype(code: &str) -> Vec<u8> {
    join(&[&global("numpy", "dtype"), &text(code), b"\x89\x88\x87R"])
}

#[test]
fn arrays_of_joblib_are_read_both_ways() {
    let hidden = b"cos\nsystem\n(S'true'\ntR.";
    let count = u8::try_from(hidden.len()).unwrap();
    let both = array(count, &dtype("S1"), &join(&[hidden, b"."]));
    assert_eq!(alarms("opcodes", &both).worst(), Some(Severity::Critical));
    quiet("numbers", &array(4, &dtype("i2"), b"\x01\x00\x02\x00\x03\x00\x04\x00."));
    // A type of eight bytes becomes one with a field of objects.
    let field = join(&[b"}", &text("a"), &dtype("O8"), b"K\x00\x86s"]);
    let names = join(&[&text("a"), b"\x85"]);
    let built = join(&[&dtype("V8"), b"(K\x03", &text("|"), b"N", &names, &field, b"K\x08K\x01K\x3ftb"]);
    let report = alarms("objects", &array(1, &built, &join(&[&call("os", "system", "true"), b"."])));
    assert_eq!(report.worst(), Some(Severity::Critical));
    let plain = join(&[b"}", &text("a"), &dtype("f8"), b"K\x00\x86s"]);
    let built = join(&[&dtype("V8"), b"(K\x03", &text("|"), b"N", &names, &plain, b"K\x08K\x01K\x00tb"]);
    quiet("structured", &array(2, &built, &[&[0x40; 16][..], b"."].concat()));
    // The last of many keys wins, in Python.
    let mut many = join(&[
        b"\x80\x04",
        &global("joblib.numpy_pickle", "NumpyArrayWrapper"),
        b")\x81}(",
        &text("dtype"),
        &dtype("i1"),
        &text("shape"),
        b"K\x40\x85",
    ]);
    for number in 0..70u8 {
        many.extend(join(&[&text(&format!("k{number}")), b"N"]));
    }
    many.extend(join(&[&text("dtype"), &dtype("O8"), b"ub", &call("os", "system", "true"), b"."]));
    let report = scan(&many);
    let seen = report.worst() >= Some(Severity::High) || report.coverage.status == CoverageStatus::Partial;
    assert!(seen, "{report:?}");
    let module = join(&[&text("sklearn.externals.joblib.numpy_pickle"), &text("NumpyArrayWrapper"), b"\x93"]);
    let old = join(&[
        b"\x80\x04",
        &module,
        b")\x81}(",
        &text("shape"),
        b"K\x02\x85",
        &text("dtype"),
        &dtype("i1"),
        b"ub\xff\xfe.",
    ]);
    quiet("old module", &old);
}

#[test]
fn streams_behind_the_first_are_always_read() {
    let bad = b"cos\nsystem\n(S'true'\ntR.";
    // torch takes its mark as a long in digits, too.
    let torch = join(&[b"L119547037146038801333356L\n.", b"M\xe9\x03.", bad]);
    assert_eq!(alarms("torch", &torch).worst(), Some(Severity::Critical));
    for first in [&b"G\x00\x00\x00\x00\x00\x00\x00\x00."[..], b"\x88.", b"J\x01\x00\x00\x00."] {
        alarms("second", &join(&[b"\x80\x02N.", first, bad]));
    }
    let alone = join(&[b"\x80\x02N.", b"\x89K\x01\x86", bad]);
    alarms("any opcode", &alone);
}

#[test]
fn what_is_loaded_as_a_file_is_judged_like_one() {
    let load = global("torch.storage", "_load_from_bytes");
    let encode = |coding: &str, inner: &str| {
        let mut long = vec![b'X'];
        long.extend(u32::try_from(inner.len()).unwrap().to_le_bytes());
        long.extend(inner.as_bytes());
        join(&[&global("_codecs", "encode"), &long, &text(coding), b"\x86R"])
    };
    let inner: String = call("commandlib", "run", "x").iter().map(|b| char::from(*b)).collect();
    alarms("latin-1", &whole(&[&load, &encode("latin1", &inner), b"\x85R"]));
    alarms("other coding", &whole(&[&load, &encode("utf-8", &inner), b"\x85R"]));
    let cut: String = inner.chars().take(20).collect();
    let report = scan(&whole(&[&load, &encode("latin1", &cut), b"\x85R"]));
    assert_eq!(report.coverage.status, CoverageStatus::Partial, "{report:?}");
}

#[test]
fn formats_may_be_old_pickles_as_well() {
    let bad = b"cos\nsystem\n(S'true'\ntR.";
    let mut tar = bad.to_vec();
    tar.resize(512, 0);
    tar[124..135].copy_from_slice(b"00000000000");
    tar[257..262].copy_from_slice(b"ustar");
    tar.extend([0; 1024]);
    let tflite = join(&[b"U\x06\x00\x00TFL3", bad]);
    let mut hdf5 = bad.to_vec();
    hdf5.resize(512, 0);
    hdf5.extend([0x89, b'H', b'D', b'F', 13, 10, 26, 10, 2, 8, 8, 0]);
    let safetensors = join(&[b"T\x04\x00\x00\x00\x00\x00\x00{", bad]);
    for (name, bytes) in [("tar", tar), ("tflite", tflite), ("hdf5", hdf5), ("safetensors", safetensors)] {
        assert_eq!(alarms(name, &bytes).worst(), Some(Severity::Critical), "{name}");
    }
}

#[test]
fn headers_of_arrays_are_parsed() {
    let array = |header: &str, data: &[u8]| {
        let len = u16::try_from(header.len()).unwrap().to_le_bytes();
        join(&[b"\x93NUMPY\x01\x00", &len, header.as_bytes(), data])
    };
    let bad = call("os", "system", "true");
    for header in [
        r#"{"descr": "|O", "fortran_order": False, "shape": (1,)}"#,
        "{'descr' : '|O', 'fortran_order': False, 'shape': (1,)}",
        r"{'descr': '\x4f', 'fortran_order': False, 'shape': (1,)}",
        r#"{'descr': [("a","|O")], 'fortran_order': False, 'shape': (1,)}"#,
        "{'descr': [('a', '<f8'), ('b', [('c', '|O')])], 'fortran_order': False, 'shape': (1,)}",
    ] {
        assert_eq!(alarms(header, &array(header, &bad)).worst(), Some(Severity::Critical), "{header}");
    }
    for (header, size) in [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }    \n", 16),
        ("{'descr': [('a', '<f8'), ('O', '<i4', (2,))], 'fortran_order': False, 'shape': (2,), }\n", 32),
        ("{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (), }\n", 8),
    ] {
        quiet(header, &array(header, &vec![7; size]));
    }
}

#[test]
fn texts_are_no_pickles() {
    for prose in [
        "cat\ndog\nhorse\n",
        "cos\nsin\ntan\n",
        "(i) first\nsecond\n",
        "K. is a letter.\nThe rest is prose.\n",
        "N. N. wrote this.\n",
    ] {
        quiet(prose, prose.as_bytes());
    }
    let mut names = b"\x80\x04](".to_vec();
    for number in 0..1500 {
        names.extend(text(&format!("feature_{number:08}")));
    }
    names.extend(b"e.");
    quiet("names that are digits of base64", &names);
}

#[test]
fn large_dictionaries_of_arrays_are_quiet() {
    // Protocol 2, as gensim and many scripts write word vectors.
    let mut out = b"\x80\x02}(cnumpy.core.multiarray\n_reconstruct\nq\x000cnumpy\nndarray\nq\x010c_codecs\nencode\nq\x020cnumpy\ndtype\nX\x02\x00\x00\x00f4K\x00K\x01\x87Rq\x030".to_vec();
    for number in 0..60_000u32 {
        let word = format!("w{number:07}");
        out.extend([b'X', 8, 0, 0, 0]);
        out.extend(word.as_bytes());
        out.extend(b"h\x00h\x01K\x00\x85h\x02X\x01\x00\x00\x00bX\x06\x00\x00\x00latin1\x86R\x87R");
        out.extend(b"(K\x01K\x01\x85h\x03\x89h\x02X\x04\x00\x00\x00abcdX\x06\x00\x00\x00latin1\x86Rtb");
    }
    out.extend(b"u.");
    quiet("vectors", &out);
    let mut bad = out[..out.len() - 2].to_vec();
    bad.extend(b"X\x01\x00\x00\x00xcos\nsystem\nX\x04\x00\x00\x00true\x85Ru.");
    assert_eq!(alarms("behind them", &bad).worst(), Some(Severity::Critical));
}

#[test]
fn long_names_are_bounded() {
    let mut out = String::new();
    for number in 0..200 {
        write!(out, "c{}{number}\nname\n0", "m".repeat(50_000)).unwrap();
    }
    out.push_str("N.");
    alarms("names", out.as_bytes());
}

#[test]
fn python_runs_what_it_calls() {
    for source in [
        "import os\ndef f():\n    os.system('true')\nf()\n",
        "import os\ndef g():\n    os.system('true')\ndef f():\n    g()\nf()\n",
        "import os\nclass A:\n    def __init__(self):\n        self.go()\n    def go(self):\n        os.system('true')\n",
        "import os\nclass A:\n    def run(self):\n        os.system('true')\nA().run()\n",
        "import os\nf = lambda: os.system('true')\nf()\n",
        "import os\n(lambda: os.system('true'))()\n",
        "import os\nlist(map(lambda c: os.system(c), ['true']))\n",
        "import os\n@os.system\ndef f(): pass\n",
        "import os\n(os).system('true')\n",
        "import sys\nsys.modules['os'].system('true')\n",
        "import importlib\nimportlib.import_module('os').system('true')\n",
        "import importlib\nx = importlib.import_module('subprocess')\nx.Popen(['true'])\n",
        "import pathlib\npathlib.Path('a').write_text('b')\n",
    ] {
        assert!(has(&alarms(source, source.as_bytes()), "model/python-code"), "{source}");
    }
    for source in [
        "import platform\nif platform.system() == 'Linux':\n    x = 1\n",
        "import torch\nmodel = torch.nn.Linear(1, 1)\nmodel.eval()\n",
        "import os\nhandlers = {'a': lambda c: c.lower()}\n",
        "import re\nclass A:\n    def __init__(self):\n        self.system('x')\n    def system(self, x):\n        return x\n",
    ] {
        quiet(source, source.as_bytes());
    }
    // A function that nothing calls is worth a word only.
    let idle = scan(b"import os\ndef f():\n    os.system('true')\n");
    assert_eq!(idle.worst(), Some(Severity::Medium), "{idle:?}");
}

#[test]
fn prose_with_words_of_python_is_prose() {
    quiet(
        "wrapped prose",
        b"The data come\nfrom several sources, and it's\nclass A work. We\nimport nothing; `code` is\nfrom elsewhere (see below).\n",
    );
    // Quoted code counts.
    alarms("quoted", b"import os\nfrom sys import path\nos.system('true')\n`that is all`\n");
}

/// `functools.partial` of a function that a framework lets others refer to.
fn waiting() -> Vec<u8> {
    join(&[&global("functools", "partial"), &global("sklearn.linear_model._base", "make_dataset"), b"\x85R"])
}

#[test]
fn methods_are_looked_up_in_states_at_any_depth() {
    let load = global("torch.storage", "_load_from_bytes");
    // torch's modules show what is in `_modules` as attributes, and APPEND asks for one.
    let module = |name: &str, value: &[u8]| {
        let inside = join(&[b"}", &text(name), value, b"s"]);
        join(&[&global("torch.nn.modules.linear", "Identity"), b")\x81}", &text("_modules"), &inside, b"sb"])
    };
    let inner = b"N0cmine\nf\n)R.";
    let bytes = join(&[b"C", &[u8::try_from(inner.len()).unwrap()], inner]);
    let kept = whole(&[&module("append", &load), &bytes, b"a"]);
    assert!(has(&alarms("append", &kept), "model/pickle-attribute-write"));
    alarms("add", &whole(&[&module("add", &load), b"(", &bytes, b"\x90"]));
    alarms("kept in a list", &whole(&[b"]", &load, b"a"]));
    alarms("kept in arguments", &whole(&[&global("functools", "partial"), &load, &bytes, b"\x86R"]));
    // Items come before the state; behind it, `append` may be what the state brought.
    let frozen = join(&[&global("sklearn.frozen._frozen", "FrozenEstimator"), b")\x81}", &text("a"), b"Nsb"]);
    alarms("items behind a state", &whole(&[&frozen, b"Na"]));
    quiet("state alone", &whole(&[&frozen]));
    alarms("array", &whole(&[&module("__array__", &waiting())]));
    let bunch = join(&[&global("sklearn.utils._bunch", "Bunch"), b")\x81", &text("__deepcopy__"), &waiting(), b"s"]);
    alarms("item", &whole(&[&bunch]));
    let pairs = join(&[&global("collections", "OrderedDict"), b"]", &text("__array__"), &waiting(), b"\x86a\x85R"]);
    alarms("pair", &whole(&[&pairs]));
    // A frame calls a key that can be called, and a mapping asks it for its hash.
    alarms(
        "key of a frame",
        &whole(&[&global("pandas.core.frame", "DataFrame"), b")\x81", &global("numpy", "sum"), b"Ns"]),
    );
    alarms("key", &whole(&[b"}", &waiting(), b"Ns"]));
    quiet("class as a key", &whole(&[b"}", &global("torch.nn.modules.linear", "Linear"), b"Ns"]));
    quiet("modules", &whole(&[&module("extend", &module("add", b"N"))]));
}

#[test]
fn classes_that_act_and_functions_that_import_are_not_ordinary() {
    for (module, name) in [
        ("transformers.integrations.integration_utils", "NeptuneCallback"),
        ("transformers.generation.continuous_batching.utils", "CudaGraphBuffer"),
        ("peft.tuners.osf.layer", "OSFLayer"),
        ("sklearn.callback._scoring_monitor", "ScoringMonitor"),
    ] {
        alarms(name, &whole(&[&global(module, name), b")\x81}b"]));
    }
    for (module, name) in [
        ("transformers.testing_utils", "run_command"),
        ("transformers.pipelines", "_resolve_impl"),
        ("transformers.exporters.utils", "import_dotted_path"),
        ("transformers.modeling_utils", "load_state_dict"),
        ("sklearn.externals.array_api_compat._internal", "clone_module"),
        ("pandas.plotting._core", "_load_backend"),
        ("xgboost.collective", "broadcast"),
        ("joblib.numpy_pickle_compat", "load_compatibility"),
    ] {
        alarms(name, &whole(&[&global("functools", "partial"), &global(module, name), b"\x85R"]));
    }
    let config = global("transformers.integrations.deepspeed", "HfTrainerDeepSpeedConfig");
    quiet("configuration", &whole(&[&config, b")\x81}b"]));
}

#[test]
fn numbers_are_those_that_cpython_reads() {
    let bad = b"cmine\nf\n)R.";
    for line in [
        "I-0x1f", "I 12 ", "I1_000", "I010", "L5L", "L-7", "F1.5", "F-inf", "Fnan", "F1_0.5", "I7\0zz", "F.5\0z", "I\0",
    ] {
        let stream = join(&[line.as_bytes(), b"\n0", bad]);
        assert!(has(&alarms(line, &stream), "model/pickle-unknown-call"), "{line}");
    }
    // An archive whose first lines would be opcodes, were `inear` a number.
    for name in ["Linear", "Identity", "Flatten", "PReLU"] {
        let member = join(&[b"\n", name.as_bytes(), b"\n", bad]);
        let plain = |_: &mut Vec<u8>| {};
        quiet(name, &crate::tests::zip(&[("notes", &member)], plain, plain));
    }
}

#[test]
fn configurations_name_what_is_imported_in_other_ways() {
    for (name, source) in [
        ("alias", "x: &t os.system\n_target_: *t\n"),
        ("interpolation", "_target_: ${a}\na: os.system\n"),
        ("default", "_target_: ${oc.env:X,os.system}\n"),
        ("tests", "_target_: transformers.testing_utils.run_command\n"),
        ("kernel", r#"{"model_type": "llama", "_attn_implementation": "mine/kernel"}"#),
        ("kernel of a revision", r#"{"attn_implementation": "mine/kernel:f"}"#),
        ("adapter", r#"{"base_model_name_or_path": "m", "megatron_core": "mine"}"#),
        ("part", r#"[{"idx": 0, "name": "0", "path": "", "type": "mine.Part"}]"#),
        ("route", r#"{"types": {"query_0_X": "mine.Part"}, "structure": {"query": ["query_0_X"]}}"#),
        ("tokenizer", r#"{"tokenizer_class": "mine.Tokenizer", "max_seq_length": 1}"#),
    ] {
        alarms(name, source.as_bytes());
    }
    for source in
        ["_target_: numpy.load\nfile: x\nallow_pickle: true\n", "_target_: torch.hub.load\n", "_target_: ${a}\n"]
    {
        assert_eq!(scan(source.as_bytes()).worst(), Some(Severity::Medium), "{source}");
    }
    for (name, source) in [
        ("target", "x: &t torch.nn.Linear\n_target_: torch.nn.ReLU\n"),
        ("attention", r#"{"attn_implementation": "flash_attention_2"}"#),
        ("part", r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]"#),
        ("tokenizer", r#"{"tokenizer_class": "LlamaTokenizer"}"#),
        ("adapter", r#"{"megatron_core": "megatron.core"}"#),
    ] {
        quiet(name, source.as_bytes());
    }
}

#[test]
fn ordinary_objects_of_frameworks_are_known() {
    let object = |module: &str, name: &str, state: &[u8]| whole(&[&global(module, name), b")\x81", state, b"b"]);
    for (module, name) in [
        ("transformers.tokenization_utils_base", "BatchEncoding"),
        ("gensim.similarities.docsim", "MatrixSimilarity"),
        ("optax._src.base", "EmptyState"),
        ("torch.utils.data.dataset", "TensorDataset"),
    ] {
        quiet(name, &object(module, name, &join(&[b"}", &text("a"), b"Ns"])));
    }
    let script = |class: &str| object("torch", "ScriptObject", &join(&[b"N", &text(class), b"\x86"]));
    quiet("quantized", &script("__torch__.torch.classes.quantized.LinearPackedParamsBase"));
    alarms("other", &script("__torch__.torch.classes.mine.Runner"));
    let curve = |class: &str, name: &str| {
        whole(&[&global("builtins", "getattr"), &global("torch.optim.lr_scheduler", class), &text(name), b"\x86R"])
    };
    quiet("curve", &curve("OneCycleLR", "_annealing_cos"));
    let made = join(&[&global("torch.optim.lr_scheduler", "OneCycleLR"), b")\x81"]);
    quiet("curve of one", &whole(&[&global("builtins", "getattr"), &made, &text("_annealing_cos"), b"\x86R"]));
    alarms("attribute", &curve("OneCycleLR", "_globals"));
    quiet("narrow floats", &whole(&[&global("numpy", "dtype"), &global("ml_dtypes", "bfloat16"), b"\x89\x88\x87R"]));
    let array = |function: &[u8]| {
        let inner = join(&[&global("numpy", "ndarray"), b"K\x00\x85C\x01b\x87"]);
        whole(&[&global("jax._src.array", "_reconstruct_array"), b"(", function, &inner, b"(K\x01tNtR"])
    };
    quiet("array", &array(&global("numpy._core.multiarray", "_reconstruct")));
    alarms("array of another", &array(&global("sklearn.svm", "SVC")));
    let formula = |formula: &str| {
        let pairs = join(&[b"}(", &text("restore_design_info"), b"\x88", &text("formula"), &text(formula), b"u"]);
        object("statsmodels.base.data", "PandasData", &pairs)
    };
    for plain in ["y ~ a + b", "np.log(y) ~ C(k) * b - 1", "y ~ I(a ** 2) + 1.5"] {
        quiet(plain, &formula(plain));
    }
    for other in ["y ~ f(a)", "y ~ a.f", "y ~ C(a)(b)", "y ~ C('a')", "y ~ 1..__class__", "y ~ [a]", "y ~ C(a).f()"] {
        alarms(other, &formula(other));
    }
    // Eighteen bytes fit anything.
    assert_eq!(scan(&[0, 0x3c].repeat(9)).coverage.status, CoverageStatus::Partial);
}
