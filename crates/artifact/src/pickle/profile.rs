//! What frameworks need of the pickle machine, and what no file should: the policy on effects, as data.
//!
//! A name is listed only for what its framework does with it: a function may be called with arguments of a shape, a
//! class may be made without its constructor and given a state, a name may be referred to. Everything else is denied.

use super::arena::Was;
use super::machine::{Machine, latin1};
use super::value::{Kind, Level, Shape as Container, V};
use crate::danger;
use crate::names::{FOREIGN, canonical, is_camel, is_plain, listed, module_fits, named};
use crate::path::leads_away;

/// Which opcode calls: `callee(*args)`, or `callee.__new__(callee, *args)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Reduce,
    New,
}

/// Which arguments a function may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Args {
    /// Plain values, and names and objects that are known.
    Known,
    /// Containers, whose methods the constructor calls: Python's own and those of the file, never other objects. `dict`
    /// calls `keys` of what it is given, which may be an attribute that the file has set.
    Containers,
    /// The same, with anything in the containers: it is only kept.
    Kept,
    /// `SimpleNamespace({…})`, which sets attributes from Python 3.13 on.
    Attributes,
    /// `type(None)`.
    Singleton,
    /// Plain values.
    Plain,
    /// `copyreg.__newobj__(class, …)` and its kin: the first is a class that may be made.
    Class,
    /// `copyreg._reconstructor(class, base, state)`: the base is called with the state.
    Base,
    /// `__pyx_unpickle_X(class, checksum, state)`: the first is a class of Cython's.
    Cython,
    /// `_new_Index(class, arguments)`: an index of pandas is called.
    Index,
    /// `__generator_ctor(generator, constructor)`: what is named is called.
    Random,
    /// `_mareconstruct(class, base, shape, type)`: classes of numpy's arrays.
    Masked,
    /// `getattr(class, "NAME")` of an enumeration.
    Member,
    /// `codecs.encode(text, "latin1")`: how protocol 2 writes bytes.
    Latin1,
    /// `_load_from_bytes(bytes)`: the bytes are examined as a file.
    File,
    /// `defaultdict(factory)`: a known name or nothing.
    Factory,
    /// Tensor builders: the first is a storage or a tensor.
    Tensor,
    /// The same with a state, the fourth, whose names become attributes.
    Stateful,
    /// `_rebuild_from_type_v2(function, type, args, state)`: the function is judged with its arguments.
    Indirect,
    /// `_reconstruct_array(function, args, state, …)`: the function makes an array of numpy.
    Array,
    /// `_ufunc_reconstruct(module, name)`: of numpy or scipy.
    Ufunc,
}

/// What a name may be used for.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    /// It may be referred to.
    pub(super) known: bool,
    call: Option<Args>,
    /// It is a class that may be made without arguments of its own and given a state.
    class: bool,
    /// It runs code, commands, or loads what does.
    pub(super) code: bool,
    /// It runs any command or code that it is given.
    pub(super) runs: bool,
    /// It builds functions from code in the file.
    builder: bool,
    items: bool,
}

/// What is thought of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    /// It runs code.
    Code,
    /// Nobody needs it.
    Unknown,
    /// It is needed, but with other arguments.
    Arguments,
    /// It rebuilds a function from code in the file.
    Builder,
    /// What is called was made by the file.
    Result,
    /// What is called cannot be told.
    Unresolved,
    /// What is called was let go of for want of room.
    Gone,
}

/// Special names that carry no behaviour.
pub(super) const PLAIN_SPECIALS: &[&str] = &[
    "__doc__",
    "__module__",
    "__name__",
    "__qualname__",
    "__orig_class__",
    "__version__",
    "__annotations__",
    "__author__",
    "__metadata__",
    "__overloads__",
    "__pydantic_fields_set__",
    "__pydantic_extra__",
    "__pydantic_private__",
    "__fields_set__",
    "__notes__",
    "__len__",
];

/// Functions by module: names separated by blanks. `*` in a module stands for any rest of it, `^`
/// for every CamelCase name.
const CALLS: &[(&str, &str, Args)] = &[
    // The standard library.
    ("builtins", "set frozenset list dict tuple bytearray bytes str unicode", Args::Containers),
    ("builtins", "complex slice range xrange int long float bool object", Args::Known),
    ("builtins", "type", Args::Singleton),
    ("builtins", "getattr", Args::Member),
    ("builtins", "Exception ValueError TypeError KeyError RuntimeError", Args::Plain),
    ("codecs", "encode", Args::Latin1),
    ("copyreg", "__newobj__ __newobj_ex__", Args::Class),
    ("copyreg", "_reconstructor", Args::Base),
    ("collections", "OrderedDict deque Counter UserDict UserList ChainMap", Args::Kept),
    ("collections", "defaultdict", Args::Factory),
    ("datetime", "datetime date time timedelta timezone", Args::Known),
    ("decimal", "Decimal", Args::Plain),
    ("fractions", "Fraction", Args::Plain),
    ("uuid", "UUID SafeUUID", Args::Plain),
    ("pathlib", "PurePath PurePosixPath PureWindowsPath Path PosixPath WindowsPath", Args::Plain),
    ("pathlib._local", "PurePath PurePosixPath PureWindowsPath Path PosixPath WindowsPath", Args::Plain),
    ("functools", "partial", Args::Known),
    ("re", "_compile", Args::Plain),
    ("random", "Random", Args::Plain),
    ("itertools", "count", Args::Plain),
    ("types", "SimpleNamespace", Args::Attributes),
    ("array", "array _array_reconstructor", Args::Known),
    ("zoneinfo", "ZoneInfo._unpickle", Args::Plain),
    ("pytz", "_UTC _p", Args::Plain),
    ("dateutil.tz.tz", "tzutc tzoffset tzlocal", Args::Known),
    ("ipaddress", "IPv4Address IPv6Address", Args::Plain),
    // numpy and scipy.
    ("numpy", "dtype ndarray matrix recarray", Args::Known),
    ("numpy.core.multiarray", "_reconstruct scalar", Args::Known),
    ("numpy._core.multiarray", "_reconstruct scalar", Args::Known),
    ("numpy.core.numeric", "_frombuffer", Args::Known),
    ("numpy._core.numeric", "_frombuffer", Args::Known),
    ("numpy.core", "_ufunc_reconstruct", Args::Ufunc),
    ("numpy._core", "_ufunc_reconstruct", Args::Ufunc),
    ("numpy.ma.core", "_mareconstruct", Args::Masked),
    ("numpy.random._pickle", "__randomstate_ctor __generator_ctor __bit_generator_ctor", Args::Random),
    ("numpy.random", "__RandomState_ctor", Args::Plain),
    ("numpy.random.bit_generator", "SeedSequence", Args::Plain),
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence", Args::Cython),
    ("numpy.random._bounded_integers", "__pyx_unpickle_*", Args::Cython),
    ("numpy.dtypes", "^", Args::Plain),
    ("scipy.sparse*", "csr_matrix csc_matrix coo_matrix csr_array csc_array coo_array", Args::Known),
    ("scipy*", "__pyx_unpickle_*", Args::Cython),
    // scikit-learn.
    ("sklearn.tree._tree", "Tree", Args::Known),
    ("sklearn.tree._criterion", "^", Args::Known),
    ("sklearn.tree._splitter", "^", Args::Known),
    ("sklearn.neighbors*", "newObj", Args::Class),
    ("sklearn.neighbors*", "KDTree KDTree64 BallTree BallTree64", Args::Known),
    ("sklearn.metrics._dist_metrics", "newObj", Args::Class),
    ("sklearn.metrics._dist_metrics", "^", Args::Known),
    ("sklearn._loss*", "^", Args::Known),
    ("sklearn.linear_model._sgd_fast", "^", Args::Known),
    ("sklearn.linear_model.sgd_fast", "^", Args::Known),
    ("sklearn.ensemble._gb_losses", "^", Args::Known),
    ("sklearn.utils", "Bunch", Args::Known),
    ("sklearn.utils._bunch", "Bunch", Args::Known),
    ("sklearn.svm._classes", "^", Args::Known),
    ("sklearn*", "__pyx_unpickle_*", Args::Cython),
    // pandas.
    (
        "pandas",
        "StringDtype CategoricalDtype PeriodDtype DatetimeTZDtype IntervalDtype ArrowDtype SparseDtype BooleanDtype Int8Dtype \
         Int16Dtype Int32Dtype Int64Dtype UInt8Dtype UInt16Dtype UInt32Dtype UInt64Dtype Float32Dtype Float64Dtype Timestamp \
         Timedelta Period Interval Categorical DateOffset",
        Args::Known,
    ),
    ("pandas.arrays", "^", Args::Known),
    ("pandas.core.indexes.interval", "_new_IntervalIndex", Args::Index),
    ("pandas._libs.internals", "_unpickle_block BlockPlacement", Args::Known),
    ("pandas._libs.sparse", "IntIndex BlockIndex", Args::Known),
    ("pandas._libs*", "__pyx_unpickle_*", Args::Cython),
    ("pandas._libs.tslibs.timestamps", "_unpickle_timestamp Timestamp", Args::Known),
    ("pandas._libs.tslibs.timedeltas", "_timedelta_unpickle Timedelta", Args::Known),
    ("pandas._libs.tslibs.nattype", "_nat_unpickle __nat_unpickle", Args::Known),
    ("pandas._libs.tslibs.offsets", "^", Args::Known),
    ("pandas._libs.tslibs.period", "Period", Args::Known),
    ("pandas._libs.interval", "Interval", Args::Known),
    ("pandas.core.indexes.base", "_new_Index", Args::Index),
    ("pandas.core.indexes.base", "Index", Args::Known),
    ("pandas.core.indexes.datetimes", "_new_DatetimeIndex", Args::Index),
    ("pandas.core.indexes.period", "_new_PeriodIndex", Args::Index),
    ("pandas.core.internals.managers", "BlockManager SingleBlockManager", Args::Known),
    ("pandas.core.internals.blocks", "new_block", Args::Known),
    ("pandas.core.dtypes.dtypes", "^", Args::Known),
    ("pandas.core.arrays*", "^", Args::Known),
    ("pyarrow.lib", "type_for_alias _restore_array chunked_array scalar", Args::Known),
    ("pyarrow.lib", "py_buffer", Args::Plain),
    // torch.
    ("torch", "Size device", Args::Plain),
    ("torch", "FloatTensor LongTensor Generator", Args::Plain),
    (
        "torch._utils",
        "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter \
         _rebuild_qtensor _rebuild_device_tensor_from_numpy _rebuild_device_tensor_from_cpu_tensor",
        Args::Tensor,
    ),
    (
        "torch._utils",
        "_rebuild_sparse_tensor _rebuild_sparse_csr_tensor _rebuild_nested_tensor _rebuild_meta_tensor_no_storage",
        Args::Known,
    ),
    ("torch._utils", "_rebuild_parameter_with_state", Args::Stateful),
    ("torch._tensor", "_rebuild_from_type_v2 _rebuild_from_type", Args::Indirect),
    ("torch.nn.parameter", "UninitializedParameter UninitializedBuffer", Args::Known),
    ("torch.storage", "_load_from_bytes", Args::File),
    ("torch.serialization", "_get_layout", Args::Plain),
    ("torch.nn.backends.thnn", "_get_thnn_function_backend", Args::Plain),
    (
        "torch.jit._pickle",
        "build_intlist build_tensorlist build_doublelist build_boollist build_tensor_from_id restore_type_tag",
        Args::Known,
    ),
    // Others.
    (
        "transformers.trainer_utils",
        "IntervalStrategy EvaluationStrategy SaveStrategy SchedulerType HubStrategy FSDPOption",
        Args::Plain,
    ),
    ("transformers.training_args", "OptimizerNames ParallelMode", Args::Plain),
    ("transformers.utils.generic", "ExplicitEnum PaddingStrategy TensorType", Args::Plain),
    (
        "accelerate.utils.dataclasses",
        "DistributedType SageMakerDistributedType FP8BackendType ComputeEnvironment DynamoBackend LoggerType PrecisionType \
         RNGType CustomDtype StateDictType",
        Args::Plain,
    ),
    ("tokenizers", "AddedToken Tokenizer", Args::Known),
    ("tokenizers.models", "Model BPE WordPiece WordLevel Unigram", Args::Plain),
    ("peft.utils.peft_types", "PeftType TaskType", Args::Plain),
    ("xgboost.core", "DataSplitMode", Args::Plain),
    ("catboost.core", "_dummy", Args::Plain),
    ("jax._src.array", "_reconstruct_array", Args::Array),
];

/// Modules whose classes (CamelCase) may be made without a constructor and given a state.
const CLASSES: &[&str] = &[
    "__torch__*",
    "accelerate.state",
    "accelerate.utils.dataclasses",
    "argparse",
    "catboost.core",
    "gensim.corpora*",
    "gensim.matutils",
    "gensim.models*",
    "gensim.similarities*",
    "imblearn*",
    "joblib.numpy_pickle",
    "joblib.numpy_pickle_compat",
    "lightgbm.compat",
    "lightgbm.sklearn",
    "numpy.random*",
    "numpy.ma.core",
    "numpy.polynomial*",
    "pandas",
    "pandas.arrays",
    "pandas.core*",
    "pandas._libs*",
    "optax._src*",
    "peft*",
    "scipy.interpolate*",
    "scipy.sparse*",
    "scipy.spatial*",
    "sentence_transformers*",
    "sklearn*",
    "statsmodels*",
    "tokenizers*",
    "torch.ao*",
    "torch.distributions*",
    "torch.nn.modules*",
    "torch.nn.parallel*",
    "torch.nn.parameter",
    "torch.nn.quantized*",
    "torch.nn.utils*",
    "torch.optim*",
    "torchvision.models*",
    "torchvision.ops*",
    "torchvision.transforms*",
    "timm*",
    "transformers.activations",
    "transformers.configuration_utils",
    "transformers.generation*",
    "transformers.integrations*",
    "transformers.modeling_utils",
    "transformers.models*",
    "transformers.feature_extraction_utils",
    "transformers.image_processing_utils",
    "transformers.tokenization_python",
    "transformers.tokenization_utils*",
    "transformers.tokenization_utils_base",
    "transformers.tokenization_utils_fast",
    "transformers.tokenization_utils_sentencepiece",
    "transformers.tokenization_utils_tokenizers",
    "transformers.trainer*",
    "transformers.training_args*",
    "trl.trainer*",
    "ultralytics.nn*",
    "uuid",
    "xgboost.compat",
    "xgboost.sklearn",
];

/// The same where names are not CamelCase.
const LOWER_CLASSES: &[(&str, &str)] = &[
    ("pandas.api.typing", "NAType NaTType FrozenList"),
    ("builtins", "object set frozenset list dict tuple"),
    ("collections", "OrderedDict defaultdict deque Counter"),
    ("datetime", "datetime date time timedelta timezone"),
    ("functools", "partial"),
    ("types", "SimpleNamespace"),
    ("numpy", "ndarray dtype matrix poly1d"),
    ("torch", "Tensor Size device"),
    ("torch._tensor", "Tensor"),
    // Objects of TorchScript's own classes, which its library restores.
    ("torch", "ScriptObject"),
    ("torch.utils.data.dataset", "TensorDataset Subset ConcatDataset StackDataset"),
    ("torch.storage", "UntypedStorage TypedStorage"),
    (
        "scipy.sparse*",
        "csr_matrix csc_matrix coo_matrix lil_matrix dok_matrix dia_matrix bsr_matrix csr_array csc_array coo_array \
         lil_array dok_array dia_array bsr_array",
    ),
    ("scipy.interpolate*", "interp1d interp2d"),
    ("scipy.spatial*", "cKDTree"),
    ("scipy.stats*", "gaussian_kde"),
    ("scipy.optimize._optimize", "OptimizeResult"),
    // Others of these hold handles of native code, which their destructors free.
    ("xgboost.core", "Booster DataSplitMode"),
    ("lightgbm.basic", "Booster"),
    ("xgboost.callback", "EarlyStopping LearningRateScheduler EvaluationMonitor"),
    ("sklearn.compose._column_transformer", "make_column_selector"),
    ("dateutil.tz.tz", "tzutc tzoffset tzlocal"),
    ("dateutil.relativedelta", "relativedelta"),
];

/// Classes of those modules whose destructors, states or look-ups act: they delete folders, stop runs, open connections,
/// or hand what they are asked for to another object.
const ACTING: &[(&str, &str)] = &[
    ("accelerate.state", "PartialState AcceleratorState"),
    ("gensim.matutils", "MmWriter"),
    ("pandas.core.col", "*"),
    ("pandas.io*", "*"),
    ("peft.tuners.osf*", "*"),
    ("sentence_transformers*", "MultiprocessPool"),
    ("sklearn.callback*", "*"),
    ("statsmodels.iolib.openfile", "*"),
    ("transformers.generation.continuous_batching*", "*"),
    ("transformers.integrations*", "*"),
    ("trl.experimental*", "*"),
];

/// Methods of text that preprocessing steps are given: they only make text.
const TEXT_METHODS: &[&str] = &[
    "lower",
    "upper",
    "strip",
    "lstrip",
    "rstrip",
    "split",
    "rsplit",
    "splitlines",
    "title",
    "capitalize",
    "casefold",
    "swapcase",
    "isdigit",
    "isalpha",
    "isalnum",
    "isspace",
];

/// Names that may be referred to, besides those above.
const NAMES: &[(&str, &str)] = &[
    ("builtins", "type NoneType Ellipsis NotImplemented property memoryview"),
    ("types", "NoneType"),
    ("numpy*", "*"),
    ("scipy.special*", "*"),
    ("scipy._lib.array_api_compat*", "*"),
    ("torch", "*"),
    ("torch.nn.functional", "*"),
    ("torch._C._nn", "*"),
    ("torch.nn*", "*"),
    ("torch.cuda", "*"),
    ("torch.storage", "^"),
    ("torch.optim*", "*"),
    ("sklearn*", "*"),
    // Of these, classes, and the functions that estimators and collators are given: others import or run what they are
    // told to.
    ("pandas*", "^"),
    ("pandas", "to_numeric to_datetime get_dummies notna isna isnull notnull concat cut qcut factorize"),
    ("pandas.core*", "to_numeric to_datetime get_dummies notna isna isnull notnull concat cut qcut factorize"),
    ("pyarrow.lib", "^"),
    ("transformers*", "^"),
    ("transformers.data.data_collator", "default_data_collator torch_default_data_collator"),
    ("transformers.activations*", "gelu gelu_new gelu_fast gelu_python quick_gelu silu swish mish linear_act"),
    ("tokenizers*", "^"),
    ("xgboost*", "^"),
    ("lightgbm*", "^"),
    ("joblib.numpy_pickle*", "^"),
    ("enum", "*"),
    ("math", "*"),
    ("ml_dtypes", "bfloat16 float4_* float6_* float8_* int1 int2 int4 uint1 uint2 uint4"),
    ("string", "ascii_letters"),
    ("zoneinfo", "ZoneInfo"),
];

/// What dill and cloudpickle call to rebuild code. Running what they built is judged apart.
const BUILDERS: &[(&str, &str)] = &[
    (
        "dill._dill",
        "_create_function _create_code _create_type _load_type _create_cell _create_namedtuple _create_array _create_ftype \
         _create_typemap _get_attr _create_weakref _create_lock _shims_builtins",
    ),
    (
        "cloudpickle*",
        "_make_function _builtin_type _make_skeleton_class _make_skeleton_enum _make_empty_cell _make_cell _make_skel_func \
         _fill_function _class_setstate _function_setstate _make_typevar _make_dict_keys _gen_ellipsis _make_method subimport \
         dynamic_subimport _rehydrate_skeleton_class",
    ),
];

/// What `copyreg._reconstructor` may call.
const BASES: &[&str] = &[
    "object",
    "dict",
    "list",
    "tuple",
    "set",
    "frozenset",
    "int",
    "float",
    "complex",
    "str",
    "bytes",
    "unicode",
    "long",
];

/// Looks a name up. Once for each name of a file.
pub(super) fn grant(module: &str, name: &str) -> Grant {
    let module = canonical(module);
    let exact = listed(CALLS, module, name).copied();
    let code = danger::runs_code(module, name);
    let plain = is_plain(name);
    let lower = plain && named(LOWER_CLASSES, module, name);
    let judged = module == "builtins" && matches!(name, "getattr" | "type");
    let call = exact.filter(|_| !code || judged || module == "codecs");
    // A call by `*` means a class or a function in small letters, never what a module only shows.
    let call = call.filter(|_| !FOREIGN.contains(&name) || module.starts_with("pathlib"));
    let configures = module_fits("transformers.integrations*", module) && name.ends_with("Config");
    let acting = named(ACTING, module, name) && !configures;
    let class = !code && !acting && (lower || is_camel(name) && CLASSES.iter().any(|m| module_fits(m, module)));
    // What loads objects may be called where its argument is examined, and never handed to what calls it later.
    let known = call.is_some_and(|shape| shape != Args::File)
        || class
        || (!code && plain && named(NAMES, module, name) && !FOREIGN.contains(&name) && !danger::is_reexported(name))
        || (module, name) == ("builtins", "type");
    let builder = named(BUILDERS, module, name);
    let items = matches!(module, "collections" | "builtins") && name != "getattr"
        || name == "Bunch"
        || class && !module.starts_with("torch.nn.parameter");
    let runs = call.is_none() && danger::runs_anything(module, name);
    Grant { known, call, class, code: code && call.is_none(), runs, builder, items: items && (call.is_some() || class) }
}

/// True for what may be called, with arguments that are examined, and not be kept.
pub(super) fn only_called(grant: &Grant) -> bool {
    grant.call == Some(Args::File)
}

/// What a file is of, by a module that it uses.
pub(super) fn framework(module: &str) -> Option<&'static str> {
    const TOPS: &[&str] =
        &["torch", "sklearn", "xgboost", "lightgbm", "catboost", "pandas", "joblib", "scipy", "transformers", "numpy"];
    let top = module.split('.').next()?;
    TOPS.iter().find(|t| **t == top).copied()
}

/// Judges a call with its arguments.
pub(super) fn judge(machine: &mut Machine<'_>, callee: V, args: V, by: By) -> Verdict {
    let Some((module, name, grant)) = machine.global(callee) else {
        return match machine.node(callee).map(|n| &n.kind) {
            // `ZoneInfo._unpickle(key, from_cache)`, as every time with a zone is written.
            Some(Kind::Made { callee: made, args: of, .. }) if is_zone(machine, *made, *of) => {
                if machine.settled(args) == Level::Inert { Verdict::Allowed } else { Verdict::Arguments }
            }
            // `class` of dill and cloudpickle, made and called: code of the file runs.
            Some(Kind::Made { .. }) => Verdict::Result,
            None if machine.trace(callee).is_some_and(|t| t.level < Level::Foreign) => Verdict::Gone,
            _ => Verdict::Unresolved,
        };
    };
    let canonical = canonical(module);
    let grant = grant.clone();
    if grant.code {
        return Verdict::Code;
    }
    if grant.builder {
        return Verdict::Builder;
    }
    let shape = match (by, grant.call, grant.class) {
        (By::New, _, true) => Args::Known,
        (_, Some(shape), _) => shape,
        _ => return Verdict::Unknown,
    };
    let reaches = canonical == "builtins" && matches!(name, "getattr" | "type");
    let fits = fits(machine, shape, args);
    match fits {
        true => Verdict::Allowed,
        false if reaches => Verdict::Code,
        false => Verdict::Arguments,
    }
}

/// True for `getattr(ZoneInfo, "_unpickle")`.
fn is_zone(machine: &Machine<'_>, callee: V, args: V) -> bool {
    let getattr =
        machine.global(callee).is_some_and(|(module, name, _)| (canonical(module), name) == ("builtins", "getattr"));
    getattr
        && match machine.items(args) {
            Some([class, name]) => {
                is_zone_class(machine, *class) && machine.text(*name).as_deref() == Some("_unpickle")
            }
            _ => false,
        }
}

fn is_zone_class(machine: &Machine<'_>, class: V) -> bool {
    machine.global(class).is_some_and(|(module, name, _)| (module, name) == ("zoneinfo", "ZoneInfo"))
}

/// A name of a class of that module.
fn is_of(machine: &Machine<'_>, value: V, fits: impl Fn(&str, &str) -> bool) -> bool {
    machine.global(value).is_some_and(|(module, name, grant)| !grant.code && fits(module, name))
}

/// numpy's own sources of random bits: `__bit_generator_ctor` calls a class that it is given.
fn is_bits(machine: &Machine<'_>, value: V) -> bool {
    match machine.node(value).map(|n| &n.kind) {
        Some(Kind::Made { callee, .. }) => {
            is_of(machine, *callee, |module, name| module == "numpy.random._pickle" && name == "__bit_generator_ctor")
        }
        Some(Kind::Global { .. }) => is_of(machine, value, |module, name| {
            module_fits("numpy.random*", module)
                && matches!(name, "MT19937" | "PCG64" | "PCG64DXSM" | "Philox" | "SFC64")
        }),
        _ => machine.level(value) == Level::Inert,
    }
}

/// Names in a state that become attributes.
fn is_state(machine: &mut Machine<'_>, state: V) -> bool {
    let keys = super::state::of(machine, state, false);
    machine.dropped |= keys.unclear;
    !keys.special && machine.settled(state) <= Level::Known
}

/// A value whose methods are those of its type: plain, a container of Python's own, or one that the file has made and
/// set no attributes of.
fn is_container(machine: &Machine<'_>, value: V) -> bool {
    if machine.level(value) == Level::Inert {
        return true;
    }
    match machine.node(value).map(|n| &n.kind) {
        Some(Kind::Seq { .. } | Kind::Dict { .. }) => true,
        Some(Kind::Made { callee, built: 0, .. }) => is_of(machine, *callee, |module, name| {
            matches!(canonical(module), "builtins" | "collections" | "codecs") && name != "getattr"
        }),
        Some(_) => false,
        None => machine
            .trace(value)
            .is_some_and(|trace| trace.level <= Level::Known && matches!(trace.was, Was::Seq | Was::Dict)),
    }
}

/// Why a state does more than to fill an object of that class.
pub(super) fn refuses(machine: &Machine<'_>, callee: V, args: V, state: V) -> Option<&'static str> {
    let (module, name, _) = machine.global(callee)?;
    match (module, name) {
        // Its `read` hands the file to a loader that trusts it.
        ("joblib.numpy_pickle" | "joblib.numpy_pickle_compat", "NDArrayWrapper" | "ZNDArrayWrapper") => {
            let file = machine.get(state, "filename").and_then(|v| machine.text(v));
            file.is_none_or(|file| leads_away(&file)).then_some("an array is read from a file elsewhere")
        }
        // `(version, order, subtype, names, fields, size, alignment, flags)`: the last bit says that items are references.
        ("numpy", "dtype") => {
            let items = machine.items(state)?;
            let objects = |args: V| {
                let kind = machine.items(args).and_then(|items| machine.text(*items.first()?));
                kind.is_some_and(|kind| kind.contains('O'))
            };
            let fields = items.get(4).and_then(|fields| match machine.node(*fields).map(|n| &n.kind) {
                Some(Kind::Dict { items, .. }) => Some(items),
                _ => None,
            });
            let inner = fields.into_iter().flatten().any(|(_, field)| {
                let dtype = machine.items(*field).and_then(|items| machine.node(*items.first()?));
                matches!(dtype.map(|n| &n.kind), Some(Kind::Made { args, .. }) if objects(*args))
            });
            let holds = matches!(items.get(7), Some(V::Int(flags)) if flags & 1 == 1);
            (!holds && (objects(args) || inner)).then_some("bytes of the file become references to objects")
        }
        // Its library restores whatever class of its own is named.
        ("torch", "ScriptObject") => {
            let class = machine.items(state).and_then(|items| machine.text(*items.last()?));
            let own = class.is_some_and(|class| {
                let homes = ["__torch__.torch.classes.quantized.", "__torch__.torch.classes.rnn."];
                homes.iter().any(|home| class.starts_with(home))
            });
            (!own).then_some("an object of a class of TorchScript's is restored")
        }
        // The names of a formula are evaluated as Python when the data are restored.
        ("statsmodels.base.data", _) => {
            let text = |key: &str| machine.get(state, key).filter(|value| !matches!(value, V::None));
            let restores = ["restore_design_info", "restore_model_spec"].iter().any(|key| text(key).is_some());
            let formula = text("formula");
            let plain = formula.and_then(|f| machine.text(f)).is_some_and(|f| is_formula(&f));
            ((formula.is_some() || restores) && !plain).then_some("a formula of the file is evaluated as Python")
        }
        _ => None,
    }
}

/// A formula of names, numbers, operators, and functions that only compute.
fn is_formula(text: &str) -> bool {
    const FUNCTIONS: &[&str] = &[
        "C",
        "I",
        "Q",
        "np.log",
        "np.log10",
        "np.log1p",
        "np.log2",
        "np.exp",
        "np.sqrt",
        "np.abs",
        "np.power",
        "np.sin",
        "np.cos",
        "center",
        "standardize",
        "scale",
        "Treatment",
        "Sum",
        "Helmert",
        "Poly",
        "Diff",
        "bs",
        "cr",
        "cc",
        "te",
        "poly",
    ];
    let named = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = rest.find(|c| !named(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(len);
        let number = word.parse::<f64>().is_ok();
        let called = tail.trim_start().starts_with('(');
        let reaches = word.contains('.') && !number && !FUNCTIONS.contains(&word) || word.starts_with("__");
        if len > 0 && (reaches || called && !FUNCTIONS.contains(&word)) {
            return false;
        }
        if len == 0 {
            if !matches!(first, ' ' | '~' | '+' | '-' | '*' | '/' | ':' | '^' | '(' | ')' | ',' | '=') {
                return false;
            }
            // What a call gives back is not called again.
            if first == ')' && rest.get(1..).is_some_and(|tail| tail.trim_start().starts_with('(')) {
                return false;
            }
        }
        rest = if len == 0 { rest.get(first.len_utf8()..).unwrap_or_default() } else { tail };
    }
    true
}

/// A class that may be made.
fn is_class(machine: &Machine<'_>, value: V) -> bool {
    machine.global(value).is_some_and(|(_, _, grant)| grant.class || grant.call.is_some() && !grant.code)
}

fn fits(machine: &mut Machine<'_>, shape: Args, args: V) -> bool {
    let level = machine.settled(args);
    let items: Vec<V> = machine.items(args).map(<[V]>::to_vec).unwrap_or_default();
    let first = items.first().copied();
    match shape {
        Args::Known => level <= Level::Known,
        Args::Containers => level <= Level::Known && items.iter().all(|v| is_container(machine, *v)),
        Args::Kept => items.iter().all(|v| is_container(machine, *v)),
        Args::Attributes => match items.as_slice() {
            [] => true,
            [state] => {
                matches!(machine.node(*state).map(|n| &n.kind), Some(Kind::Dict { keys, .. }) if !keys.hook)
                    && is_state(machine, *state)
            }
            _ => false,
        },
        Args::Singleton => match items.as_slice() {
            [V::None] => true,
            [value] => is_of(machine, *value, |module, name| {
                canonical(module) == "builtins" && matches!(name, "Ellipsis" | "NotImplemented")
            }),
            _ => false,
        },
        Args::Plain => level == Level::Inert,
        Args::Class => {
            level <= Level::Known
                && first.is_some_and(|class| machine.global(class).is_some_and(|(_, _, grant)| grant.class))
        }
        Args::Base => match items.as_slice() {
            [class, base, ..] => {
                level <= Level::Known
                    && machine.global(*class).is_some_and(|(_, _, grant)| grant.class)
                    && is_of(machine, *base, |module, name| canonical(module) == "builtins" && BASES.contains(&name))
            }
            _ => false,
        },
        Args::Cython => {
            level <= Level::Known
                && first.is_some_and(|class| {
                    machine.global(class).is_some_and(|(_, name, grant)| grant.class || grant.known && is_camel(name))
                })
        }
        Args::Index => {
            level <= Level::Known
                && first.is_some_and(|class| {
                    is_of(machine, class, |module, name| {
                        (module == "pandas" || module_fits("pandas.core.indexes*", module))
                            && name.ends_with("Index")
                            && is_camel(name)
                    })
                })
        }
        Args::Random => match items.as_slice() {
            [] => true,
            [bits] => is_bits(machine, *bits),
            [bits, constructor] => {
                is_bits(machine, *bits)
                    && is_of(machine, *constructor, |module, name| {
                        module == "numpy.random._pickle" && name == "__bit_generator_ctor"
                    })
            }
            _ => false,
        },
        Args::Masked => match items.as_slice() {
            [class, base, rest @ ..] => {
                let arrays = |v: V, own: &str| {
                    is_of(machine, v, |module, name| {
                        own == "masked" && module_fits("numpy.ma*", module) && is_camel(name)
                            || module == "numpy" && matches!(name, "ndarray" | "matrix" | "recarray")
                    })
                };
                arrays(*class, "masked")
                    && arrays(*base, "")
                    && rest.iter().all(|v| machine.level(*v) <= Level::Known)
                    && level <= Level::Known
            }
            _ => false,
        },
        Args::Member => match items.as_slice() {
            [class, name] => {
                let text = machine.text(*name).unwrap_or_default();
                let constant = is_plain(&text) && !text.starts_with('_');
                let zone = text == "_unpickle" && is_zone_class(machine, *class);
                // Schedulers keep the curve that they follow, as a method of themselves.
                let scheduler = match machine.node(*class).map(|n| &n.kind) {
                    Some(Kind::Made { callee, .. }) => *callee,
                    _ => *class,
                };
                let curve = matches!(text.as_str(), "_annealing_cos" | "_annealing_linear")
                    && is_of(machine, scheduler, |module, name| module_fits("torch.optim*", module) && is_camel(name));
                let method = TEXT_METHODS.contains(&text.as_str());
                let of = |(module, name, grant): (&str, &str, &Grant)| {
                    let text = method && (canonical(module), name) == ("builtins", "str");
                    grant.known && !grant.code && constant && is_camel(name) || text
                };
                zone || curve || machine.global(*class).is_some_and(of)
            }
            _ => false,
        },
        Args::Latin1 => match text_of(machine, &items) {
            Some(text) => {
                if let V::Str { at, .. } = text {
                    let bytes = machine.text(text).filter(|t| super::payload::may_be_text(t)).map(|t| latin1(&t));
                    if let Some(bytes) = bytes {
                        machine.candidate_text(at, bytes, false);
                    }
                }
                true
            }
            None => false,
        },
        Args::File => match items.as_slice() {
            [V::Bytes { at, len }] => {
                machine.candidate(*at, *len as usize, true);
                true
            }
            // Protocol 2 writes bytes as encoded text.
            [value] => {
                let Some(Kind::Made { callee, args, .. }) = machine.node(*value).map(|n| &n.kind) else { return false };
                let encoded = is_of(machine, *callee, |module, name| (canonical(module), name) == ("codecs", "encode"));
                let text = machine.items(*args).filter(|_| encoded).and_then(|items| text_of(machine, items));
                let Some(bytes) = text.and_then(|t| machine.text(t)).map(|t| latin1(&t)) else { return false };
                let at = machine.at;
                machine.candidate_text(at, bytes, true);
                true
            }
            _ => false,
        },
        Args::Factory => match items.split_first() {
            None => true,
            Some((factory, rest)) => {
                let plain = matches!(factory, V::None)
                    || machine.global(*factory).is_some_and(|(_, _, g)| g.class || g.call == Some(Args::Known));
                plain && rest.iter().all(|v| machine.level(*v) <= Level::Known)
            }
        },
        Args::Tensor => level <= Level::Known && first.is_some_and(|v| machine.level(v) == Level::Known),
        Args::Stateful => match items.as_slice() {
            [tensor, _, _, state, ..] => {
                level <= Level::Known && machine.level(*tensor) == Level::Known && is_state(machine, *state)
            }
            _ => false,
        },
        Args::Indirect => match items.as_slice() {
            [function, class, inner, state] | [function, class, inner, state, ..] => {
                let (function, class, inner, state) = (*function, *class, *inner, *state);
                // Builders of tensors call nothing further, so this goes one level down at most.
                is_of(machine, function, |module, _| module == "torch._utils")
                    && is_class(machine, class)
                    && is_state(machine, state)
                    && matches!(judge(machine, function, inner, By::Reduce), Verdict::Allowed)
            }
            _ => false,
        },
        Args::Array => match items.as_slice() {
            [function, inner, state, ..] => {
                let (function, inner) = (*function, *inner);
                level <= Level::Known
                    && matches!(machine.node(*state).map(|n| &n.kind), Some(Kind::Seq { shape: Container::Tuple, .. }))
                    && is_of(machine, function, |module, name| {
                        matches!(module, "numpy.core.multiarray" | "numpy._core.multiarray") && name == "_reconstruct"
                    })
                    && matches!(judge(machine, function, inner, By::Reduce), Verdict::Allowed)
            }
            _ => false,
        },
        Args::Ufunc => match items.as_slice() {
            [module, name] => {
                let module = machine.text(*module).unwrap_or_default();
                let name = machine.text(*name).unwrap_or_default();
                let home = matches!(
                    module.as_str(),
                    "numpy"
                        | "numpy.core._multiarray_umath"
                        | "numpy._core._multiarray_umath"
                        | "scipy.special._ufuncs"
                        | "scipy.special"
                );
                home && is_plain(&name) && !name.starts_with('_') && name.starts_with(|c: char| c.is_ascii_lowercase())
            }
            _ => false,
        },
    }
}

/// The text of `codecs.encode(text, "latin1")`. Others make other bytes of it, and nobody writes them.
fn text_of(machine: &Machine<'_>, items: &[V]) -> Option<V> {
    let [text, coding] = items else { return None };
    let coding = machine.text(*coding)?;
    (matches!(coding.as_str(), "latin1" | "latin-1" | "iso-8859-1") && machine.level(*text) == Level::Inert)
        .then_some(*text)
}

/// True where an object of that class or function takes items.
pub(super) fn takes_items(machine: &Machine<'_>, callee: V) -> bool {
    machine
        .global(callee)
        .is_some_and(|(module, name, grant)| grant.items || name == "_reconstructor" && canonical(module) == "copyreg")
}

/// True where what that class or function makes may be given a state. What others hold as well may not.
pub(super) fn may_build(machine: &Machine<'_>, callee: V) -> bool {
    const SHARED: &[&str] = &["getattr", "_get_layout", "_get_thnn_function_backend", "type"];
    machine
        .global(callee)
        .is_some_and(|(_, name, grant)| (grant.call.is_some() || grant.class) && !SHARED.contains(&name))
}

/// True for a container of Python's own, whose methods are those of its type.
pub(super) fn is_plain_container(machine: &Machine<'_>, callee: V) -> bool {
    machine.global(callee).is_some_and(|(module, _, _)| matches!(canonical(module), "collections" | "builtins"))
}

/// True where a function of Cython's made it.
pub(super) fn is_compiled(machine: &Machine<'_>, object: V) -> bool {
    match machine.node(object).map(|n| &n.kind) {
        Some(Kind::Made { callee, .. }) => machine
            .global(*callee)
            .is_some_and(|(_, name, grant)| grant.call == Some(Args::Cython) && name.starts_with("__pyx_unpickle_")),
        _ => false,
    }
}

/// The class in `("module", class, file, source)`, which torch's loader gives back for such an identifier.
pub(super) fn module_of(machine: &Machine<'_>, id: V) -> Option<V> {
    let Kind::Seq { shape: Container::Tuple, items, .. } = &machine.node(id)?.kind else { return None };
    match items.as_slice() {
        [tag, class, ..] if machine.text(*tag).as_deref() == Some("module") => {
            matches!(machine.node(*class)?.kind, Kind::Global { .. }).then_some(*class)
        }
        _ => None,
    }
}

/// torch's storages and, in old files, the source of modules.
pub(super) fn known_persistent(machine: &Machine<'_>, id: V) -> bool {
    let Some(node) = machine.node(id) else { return false };
    let Kind::Seq { shape: Container::Tuple, items, .. } = &node.kind else { return false };
    let tag = items.first().and_then(|v| machine.text(*v));
    matches!(tag.as_deref(), Some("storage" | "module"))
}
