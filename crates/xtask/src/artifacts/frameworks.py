"""Writes ordinary model files with the frameworks themselves, into the folder given. What is not installed is left out."""
import os
import pickle
import sys
import traceback

OUT = sys.argv[1]
os.makedirs(OUT, exist_ok=True)


def at(name):
    path = os.path.join(OUT, name)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    return path


def torch_files():
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = torch.nn.Linear(4, 8)
            self.b = torch.nn.LSTM(8, 4, batch_first=True)

        def forward(self, x):
            return self.b(torch.relu(self.a(x)))[0]

    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4, 2)
    )
    adam = torch.optim.Adam(net.parameters())
    net(torch.zeros(2, 1, 3, 3)).sum().backward()
    adam.step()
    schedule = torch.optim.lr_scheduler.StepLR(adam, 3)
    checkpoint = {"model": net.state_dict(), "optim": adam.state_dict(), "schedule": schedule.state_dict(), "epoch": 3}
    torch.save(net.state_dict(), at("torch/state.pt"))
    torch.save(net.state_dict(), at("torch/state.legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save(net, at("torch/module.pt"))
    torch.save(net, at("torch/module.legacy.pt"), _use_new_zipfile_serialization=False)
    torch.save(checkpoint, at("torch/checkpoint.ckpt"))
    torch.save(torch.nn.Parameter(torch.ones(3)), at("torch/parameter.pt"))
    torch.save([torch.arange(3), torch.ones(2, dtype=torch.half), torch.ones(1, dtype=torch.bfloat16)], at("torch/list.pt"))
    torch.save(torch.sparse_coo_tensor([[0], [1]], [1.0], (2, 2)), at("torch/sparse.pt"))
    torch.save(torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), at("torch/quantized.pt"))
    encoder = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(8, 2), 2)
    torch.save(encoder, at("torch/transformer.pt"))
    quantized = torch.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(4, 4)), {torch.nn.Linear})
    torch.save(quantized.state_dict(), at("torch/dynamic.pt"))
    torch.jit.save(torch.jit.script(Net()), at("torch/script.pt"))
    torch.jit.save(torch.jit.trace(net, torch.zeros(2, 1, 3, 3)), at("torch/trace.pt"))
    with open(at("torch/tensor.pkl"), "wb") as file:
        pickle.dump({"a": torch.ones(3)}, file)


def keras_files():
    import keras
    from keras import layers

    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(),
        layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.1), layers.Dense(3, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(__import__("numpy").ones((4, 8, 8, 1)), __import__("numpy").zeros(4), verbose=0)
    model.save(at("keras/sequential.keras"))
    model.save(at("keras/sequential.h5"))
    model.save_weights(at("keras/sequential.weights.h5"))
    one, two = keras.Input((5,)), keras.Input((5, 3))
    merged = layers.Concatenate()([layers.Dense(4)(one), layers.Bidirectional(layers.LSTM(4))(two)])
    functional = keras.Model([one, two], layers.Dense(1, kernel_regularizer="l2")(merged))
    functional.compile(keras.optimizers.SGD(0.1, momentum=0.9), keras.losses.MeanSquaredError())
    functional.save(at("keras/functional.keras"))
    functional.save(at("keras/functional.h5"))
    many = keras.Sequential([keras.Input((4,))] + [layers.Dense(4, name=f"layer_{n}") for n in range(60)])
    many.save(at("keras/many.keras"))
    many.save(at("keras/many.h5"))
    text = keras.Sequential([keras.Input((6,), dtype="int32"), layers.Embedding(20, 4), layers.GRU(3), layers.Dense(1)])
    text.save(at("keras/text.keras"))
    text.save(at("keras/text.h5"))
    with open(at("keras/sequential.json"), "w") as file:
        file.write(model.to_json())


def tensorflow_files():
    import tensorflow as tf

    model = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(3, activation="relu"), tf.keras.layers.Dense(1)])
    model.export(at("tensorflow/exported"))
    tf.saved_model.save(model, at("tensorflow/saved"))

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.v = tf.Variable([[1.0, 2.0]])
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2]), -1)

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
        def __call__(self, x):
            for _ in tf.range(3):
                x = tf.where(x > 0, x * self.v, tf.strings.to_number(tf.strings.as_string(x)))
            return x

    module = Module()
    tf.saved_model.save(module, at("tensorflow/module"))
    tf.train.Checkpoint(v=module.v).write(at("tensorflow/checkpoint/ckpt"))
    concrete = module.__call__.get_concrete_function()
    with open(at("tensorflow/frozen.pb"), "wb") as file:
        file.write(concrete.graph.as_graph_def().SerializeToString())
    with tf.Graph().as_default() as graph:
        tf.compat.v1.placeholder(tf.float32, [2], "x") + tf.constant([1.0, 2.0])
        meta = tf.compat.v1.train.export_meta_graph(graph=graph)
    with open(at("tensorflow/model.meta"), "wb") as file:
        file.write(meta.SerializeToString())
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    with open(at("tensorflow/model.tflite"), "wb") as file:
        file.write(converter.convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with open(at("tensorflow/quantized.tflite"), "wb") as file:
        file.write(converter.convert())


def onnx_files():
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.random.rand(64, 64).astype(np.float32), "w")
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 64]) for n in "xy")
    then = helper.make_graph([helper.make_node("Relu", ["x"], ["t"])], "then", [],
                             [helper.make_tensor_value_info("t", TensorProto.FLOAT, [None, 64])])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["e"])], "else", [],
                              [helper.make_tensor_value_info("e", TensorProto.FLOAT, [None, 64])])
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["c"], ["i"], then_branch=then, else_branch=other),
        helper.make_node("MatMul", ["i", "w"], ["y"]),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y], [weights]))
    onnx.save(model, at("onnx/model.onnx"))
    onnx.save(model, at("onnx/external.onnx"), save_as_external_data=True, location="external.onnx.data", size_threshold=0)


def xgboost_files():
    import numpy as np
    import xgboost

    rng = np.random.default_rng(0)
    data, target = rng.random((60, 5)), rng.integers(0, 2, 60)
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(data, target), 5)
    for name in ("model.ubj", "model.json"):
        booster.save_model(at("xgboost/" + name))
    with open(at("xgboost/booster.pkl"), "wb") as file:
        pickle.dump(booster, file)
    for estimator in (xgboost.XGBClassifier, xgboost.XGBRegressor, xgboost.XGBRanker):
        model = estimator(n_estimators=3)
        if estimator is not xgboost.XGBRanker:
            model.fit(data, target)
        with open(at(f"xgboost/{estimator.__name__}.pkl"), "wb") as file:
            pickle.dump(model, file)


def lightgbm_files():
    import lightgbm
    import numpy as np

    rng = np.random.default_rng(0)
    model = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1).fit(rng.random((80, 4)), rng.random(80))
    model.booster_.save_model(at("lightgbm/model.txt"))
    with open(at("lightgbm/model.pkl"), "wb") as file:
        pickle.dump(model, file)


def catboost_files():
    import catboost
    import numpy as np

    rng = np.random.default_rng(0)
    model = catboost.CatBoostRegressor(iterations=3, verbose=False, allow_writing_files=False)
    model.fit(rng.random((80, 4)), rng.random(80))
    model.save_model(at("catboost/model.cbm"))
    model.save_model(at("catboost/model.json"), format="json")
    with open(at("catboost/model.pkl"), "wb") as file:
        pickle.dump(model, file)


def hdf5_files():
    import h5py
    import numpy as np

    for version in ("earliest", "latest"):
        with h5py.File(at(f"hdf5/{version}.h5"), "w", libver=version) as file:
            for n in range(40):
                group = file.create_group(f"group_{n}", track_order=n % 2 == 0)
                group.create_dataset("data", data=np.arange(20.0), chunks=(5,), compression="gzip")
                group.attrs["text"] = "x" * (n * 50)
            for n in range(30):
                file.attrs[f"attribute_{n}"] = [f"name_{k}" for k in range(n)] or "none"
            file["link"] = h5py.SoftLink("/group_1/data")


def flax_files():
    import msgpack
    import numpy as np

    def array(a):
        return msgpack.ExtType(1, msgpack.packb((a.shape, a.dtype.name, a.tobytes())))

    tree = {"params": {"dense": {"kernel": array(np.ones((4, 4), np.float32)), "bias": array(np.zeros(4, np.float32))}}}
    with open(at("flax/flax_model.msgpack"), "wb") as file:
        file.write(msgpack.packb(tree))


def pandas_files():
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": pd.to_datetime(["2020-01-01", "2021-01-01"])})
    frame.to_pickle(at("pandas/frame.pkl"))
    frame.to_pickle(at("pandas/frame.pkl.gz"))


failed = []
for name, write in [(n, f) for n, f in list(globals().items()) if n.endswith("_files")]:
    try:
        write()
        print("wrote", name[:-6])
    except ImportError as error:
        print("left out", name[:-6], "-", error)
    except Exception:
        failed.append(name)
        traceback.print_exc()
print("failed:", failed)
