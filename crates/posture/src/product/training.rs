//! Jobs that train.

use super::{Auth, PLAIN, Product};
use crate::fact::Reads::Text;
use crate::fact::Setting::{Dataset, DatasetRevision, Model, Revision, Secret};

pub(super) const PRODUCTS: &[Product] = &[
    Product {
        name: "Axolotl",
        doc: "https://docs.axolotl.ai/docs/config-reference.html",
        images: &["axolotlai/axolotl", "winglian/axolotl", "axolotlai/axolotl-cloud"],
        commands: &[&["axolotl", "train"], &["axolotl", "preprocess"], &["-m", "axolotl.cli.train"]],
        auth: Auth::NoServer,
        keys: &[("base_model", Model, Text), ("revision_of_model", Revision, Text)],
        shape: &[&["base_model", "datasets"]],
        ..PLAIN
    },
    Product {
        name: "TRL",
        doc: "https://huggingface.co/docs/trl/en/script_utils",
        images: &["huggingface/trl"],
        commands: &[
            &["trl", "sft"],
            &["trl", "dpo"],
            &["trl", "grpo"],
            &["trl", "kto"],
            &["trl", "reward"],
            &["trl", "rloo"],
        ],
        auth: Auth::NoServer,
        flags: &[
            ("--model_name_or_path", Model, Text),
            ("--model_revision", Revision, Text),
            ("--dataset_name", Dataset, Text),
            ("--dataset_revision", DatasetRevision, Text),
            ("--hub_token", Secret, Text),
        ],
        keys: &[
            ("model_name_or_path", Model, Text),
            ("model_revision", Revision, Text),
            ("dataset_name", Dataset, Text),
            ("dataset_revision", DatasetRevision, Text),
            ("hub_token", Secret, Text),
        ],
        shape: &[
            &["model_name_or_path", "dataset_name"],
            &["model_name_or_path", "output_dir"],
            &["model_name_or_path", "dataset"],
        ],
        ..PLAIN
    },
    Product {
        name: "Accelerate",
        doc: "https://huggingface.co/docs/accelerate/package_reference/cli",
        images: &["huggingface/accelerate", "huggingface/transformers-pytorch-gpu", "huggingface/trl-latest-gpu"],
        commands: &[&["accelerate", "launch"], &["torchrun"], &["deepspeed"], &["-m", "torch.distributed.run"]],
        auth: Auth::NoServer,
        flags: &[
            ("--model_name_or_path", Model, Text),
            ("--model_revision", Revision, Text),
            ("--dataset_name", Dataset, Text),
            ("--dataset_revision", DatasetRevision, Text),
            ("--hub_token", Secret, Text),
            ("--wandb_token", Secret, Text),
        ],
        ..PLAIN
    },
    Product {
        name: "SageMaker training",
        doc: "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html",
        auth: Auth::NoServer,
        keys: &[
            ("HyperParameters.model_name_or_path", Model, Text),
            ("HyperParameters.model_id", Model, Text),
            ("HyperParameters.model_revision", Revision, Text),
            ("HyperParameters.dataset_name", Dataset, Text),
            ("HyperParameters.dataset_revision", DatasetRevision, Text),
        ],
        shape: &[&["TrainingJobName"], &["AlgorithmSpecification", "RoleArn"]],
        ..PLAIN
    },
    Product {
        name: "LLaMA-Factory",
        doc: "https://github.com/hiyouga/LLaMA-Factory/blob/main/examples/README.md",
        images: &["hiyouga/llamafactory"],
        commands: &[&["llamafactory-cli", "train"], &["llamafactory-cli", "api"], &["llamafactory-cli", "webui"]],
        auth: Auth::NoServer,
        ..PLAIN
    },
    Product {
        name: "PyTorch",
        doc: "https://github.com/pytorch/pytorch/blob/main/README.md#docker-image",
        images: &[
            "pytorch/pytorch",
            "nvidia/pytorch",
            "nvidia/nemo",
            "pytorch-training",
            "huggingface-pytorch-training",
            "tensorflow/tensorflow",
        ],
        auth: Auth::NoServer,
        ..PLAIN
    },
];
