//! Stores of vectors and caches, and what stands beside them.

use super::{Auth, PLAIN, Product};
use crate::fact::Reads::{IfFalse, IfOneOf, IfTrue, Text};
use crate::fact::Setting::{AuthOff, AuthOn, Bind, ConfigFile, Cors, Key, Management, Secret, Tls};

pub(super) const PRODUCTS: &[Product] = &[
    Product {
        name: "Qdrant",
        doc: "https://qdrant.tech/documentation/guides/security/",
        images: &["qdrant/qdrant"],
        commands: &[&["qdrant"]],
        close: "`service.api_key` (`QDRANT__SERVICE__API_KEY`) from a secret, with TLS",
        flags: &[("--config-path", ConfigFile, Text)],
        variables: &[
            ("QDRANT__SERVICE__API_KEY", Key, Text),
            ("QDRANT__SERVICE__JWT_RBAC", AuthOn, IfTrue),
            ("QDRANT__SERVICE__HOST", Bind, Text),
            ("QDRANT__SERVICE__ENABLE_TLS", Tls, IfTrue),
        ],
        keys: &[
            ("service.api_key", Key, Text),
            ("service.read_only_api_key", Secret, Text),
            ("service.jwt_rbac", AuthOn, IfTrue),
            ("service.host", Bind, Text),
            ("service.enable_tls", Tls, IfTrue),
        ],
        shape: &[
            &["service.http_port", "storage"],
            &["service.grpc_port"],
            &["service.api_key"],
            &["storage.storage_path", "service"],
        ],
        ..PLAIN
    },
    Product {
        name: "Milvus",
        doc: "https://milvus.io/docs/authenticate.md",
        images: &["milvusdb/milvus"],
        commands: &[&["milvus", "run"]],
        close: "`common.security.authorizationEnabled: true` and a password of your own for `root`",
        variables: &[
            ("COMMON_SECURITY_AUTHORIZATIONENABLED", AuthOn, IfTrue),
            ("COMMON_SECURITY_AUTHORIZATIONENABLED", AuthOff, IfFalse),
            ("MINIO_SECRET_ACCESS_KEY", Secret, Text),
            ("MINIO_ACCESS_KEY_ID", Secret, Text),
        ],
        keys: &[
            ("common.security.authorizationEnabled", AuthOn, IfTrue),
            ("common.security.authorizationEnabled", AuthOff, IfFalse),
            ("common.security.defaultRootPassword", Secret, Text),
            ("minio.secretAccessKey", Secret, Text),
            ("etcd.auth.password", Secret, Text),
            ("tls.serverPemPath", Tls, Text),
        ],
        shape: &[&["common.security", "etcd"], &["common.security.authorizationEnabled"]],
        ..PLAIN
    },
    Product {
        name: "Weaviate",
        doc: "https://docs.weaviate.io/deploy/configuration/env-vars",
        images: &["semitechnologies/weaviate", "weaviate/weaviate"],
        close: "`AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED=false` with API keys or OIDC",
        variables: &[
            ("AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED", AuthOff, IfTrue),
            ("AUTHENTICATION_APIKEY_ENABLED", AuthOn, IfTrue),
            ("AUTHENTICATION_OIDC_ENABLED", AuthOn, IfTrue),
            ("AUTHENTICATION_DB_USERS_ENABLED", AuthOn, IfTrue),
            ("AUTHENTICATION_APIKEY_ALLOWED_KEYS", Key, Text),
            ("CORS_ALLOW_ORIGIN", Cors, Text),
        ],
        ..PLAIN
    },
    Product {
        name: "Chroma",
        doc: "https://docs.trychroma.com/guides/deploy/docker",
        images: &["chromadb/chroma", "chroma-core/chroma"],
        commands: &[&["chroma", "run"]],
        open: false,
        close: "a private network, and a proxy that authenticates",
        flags: &[("--host", Bind, Text)],
        variables: &[
            ("CHROMA_SERVER_AUTHN_PROVIDER", AuthOn, Text),
            ("CHROMA_SERVER_AUTHN_CREDENTIALS", Key, Text),
            ("CHROMA_SERVER_AUTHN_CREDENTIALS_FILE", AuthOn, Text),
            ("CHROMA_SERVER_CORS_ALLOW_ORIGINS", Cors, Text),
            ("CHROMA_SERVER_HOST", Bind, Text),
            ("ALLOW_RESET", Management, IfTrue),
            ("CHROMA_ALLOW_RESET", Management, IfTrue),
        ],
        keys: &[
            ("allow_reset", Management, IfTrue),
            ("cors_allow_origins", Cors, Text),
            ("listen_address", Bind, Text),
        ],
        shape: &[&["allow_reset"], &["persist_path", "port"]],
        ..PLAIN
    },
    Product {
        name: "pgvector",
        doc: "https://github.com/docker-library/docs/blob/master/postgres/README.md",
        images: &["pgvector/pgvector", "ankane/pgvector", "timescale/timescaledb-ha"],
        auth: Auth::Default,
        close: "`POSTGRES_PASSWORD_FILE` and `scram-sha-256`",
        variables: &[("POSTGRES_PASSWORD", Key, Text), ("POSTGRES_HOST_AUTH_METHOD", AuthOff, IfOneOf(&["trust"]))],
        ..PLAIN
    },
    Product {
        name: "Redis Stack",
        doc: "https://redis.io/docs/latest/operate/oss_and_stack/management/security/",
        images: &["redis/redis-stack", "redis/redis-stack-server"],
        close: "`requirepass` or ACL users, and `protected-mode yes`",
        variables: &[("REDIS_ARGS", ConfigFile, Text), ("REDIS_PASSWORD", Key, Text)],
        ..PLAIN
    },
    Product {
        name: "Redis",
        doc: "https://redis.io/docs/latest/operate/oss_and_stack/management/security/",
        images: &["redis", "valkey/valkey", "bitnami/redis"],
        commands: &[&["redis-server"], &["valkey-server"]],
        open: false,
        close: "`requirepass` or ACL users, and `protected-mode yes`",
        flags: &[
            ("--requirepass", Key, Text),
            ("--aclfile", AuthOn, Text),
            ("--bind", Bind, Text),
            ("--protected-mode", AuthOff, IfFalse),
            ("--tls-port", Tls, Text),
        ],
        variables: &[("REDIS_PASSWORD", Key, Text), ("ALLOW_EMPTY_PASSWORD", AuthOff, IfTrue)],
        keys: &[
            ("requirepass", Key, Text),
            ("bind", Bind, Text),
            ("protected-mode", AuthOff, IfFalse),
            ("aclfile", AuthOn, Text),
            ("tls-port", Tls, Text),
        ],
        companion: true,
        ..PLAIN
    },
    Product {
        name: "PostgreSQL",
        doc: "https://github.com/docker-library/docs/blob/master/postgres/README.md",
        images: &["postgres", "bitnami/postgresql"],
        auth: Auth::Default,
        close: "`POSTGRES_PASSWORD_FILE` and `scram-sha-256`",
        variables: &[("POSTGRES_PASSWORD", Key, Text), ("POSTGRES_HOST_AUTH_METHOD", AuthOff, IfOneOf(&["trust"]))],
        companion: true,
        ..PLAIN
    },
    Product {
        name: "MinIO",
        doc: "https://min.io/docs/minio/linux/reference/minio-server/settings/root-credentials.html",
        images: &["minio/minio", "bitnami/minio"],
        commands: &[&["minio", "server"]],
        auth: Auth::Default,
        close: "root credentials from a secret",
        variables: &[
            ("MINIO_ROOT_PASSWORD", Key, Text),
            ("MINIO_SECRET_KEY", Key, Text),
            ("MINIO_API_CORS_ALLOW_ORIGIN", Cors, Text),
        ],
        companion: true,
        ..PLAIN
    },
    Product {
        name: "Elasticsearch",
        doc: "https://www.elastic.co/docs/reference/elasticsearch/configuration-reference/security-settings",
        images: &["elasticsearch/elasticsearch", "elasticsearch", "opensearchproject/opensearch"],
        auth: Auth::Default,
        close: "`xpack.security.enabled=true`",
        variables: &[
            ("xpack.security.enabled", AuthOff, IfFalse),
            ("DISABLE_SECURITY_PLUGIN", AuthOff, IfTrue),
            ("plugins.security.disabled", AuthOff, IfTrue),
            ("ELASTIC_PASSWORD", Key, Text),
        ],
        keys: &[
            ("network.host", Bind, Text),
            ("http.host", Bind, Text),
            ("xpack.security.enabled", AuthOff, IfFalse),
            ("plugins.security.disabled", AuthOff, IfTrue),
            ("xpack.security.http.ssl.enabled", Tls, IfTrue),
            ("http.cors.allow-origin", Cors, Text),
        ],
        shape: &[
            &["xpack.security.enabled"],
            &["plugins.security.disabled"],
            &["cluster.name", "network.host"],
            &["discovery.type", "network.host"],
        ],
        companion: true,
        ..PLAIN
    },
];
