//! The types of credentials that nodes of this build use, as data: for forms, and to refuse what a node could not use.
//!
//! Never a fence: people's files name hundreds of other types, whose fields are taken as they come and are all secret.

use serde_json::Value;

use super::{CredentialRefusal, FIELDS_BYTES_MAX};
use crate::item::JsonObject;

/// What kind of value a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialFieldKind {
    /// Text.
    Text,
    /// A number, also as text.
    Number,
    /// True or false, also as text.
    Boolean,
    /// One of these words.
    Options(&'static [&'static str]),
    /// JSON, as text or as it is.
    Json,
}

/// One field of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialField {
    /// Its name, as nodes read it.
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: CredentialFieldKind,
    /// Whether nobody may see it once it was given.
    pub secret: bool,
    /// Whether a credential without it is of no use.
    pub required: bool,
    /// One sentence for people.
    pub description: &'static str,
}

/// A type of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialType {
    /// Its name in workflow files.
    pub name: &'static str,
    /// Name for people.
    pub display_name: &'static str,
    /// Its fields.
    pub fields: &'static [CredentialField],
}

const fn text(name: &'static str, description: &'static str) -> CredentialField {
    CredentialField { name, kind: CredentialFieldKind::Text, secret: false, required: false, description }
}

const fn number(name: &'static str, description: &'static str) -> CredentialField {
    CredentialField { kind: CredentialFieldKind::Number, ..text(name, description) }
}

const fn truth(name: &'static str, description: &'static str) -> CredentialField {
    CredentialField { kind: CredentialFieldKind::Boolean, ..text(name, description) }
}

const fn options(name: &'static str, words: &'static [&'static str], description: &'static str) -> CredentialField {
    CredentialField { kind: CredentialFieldKind::Options(words), ..text(name, description) }
}

impl CredentialField {
    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

const ALGORITHMS: &[&str] =
    &["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];

/// Who a server of SSH has to be: without it nobody knows whom a password is given to.
const HOST_KEY: CredentialField =
    text("hostKey", "The server's key as `ssh-keyscan` tells it, or its fingerprint: SHA256:….").required();
const TUNNEL: CredentialField = truth("sshTunnel", "Whether the server is reached through a server of SSH.");
const TUNNEL_HOST: CredentialField = text("sshHost", "Of the tunnel: name or address of the server of SSH.");
const TUNNEL_PORT: CredentialField =
    number("sshPort", "Of the tunnel: port of the server of SSH, 22 unless said otherwise.");
const TUNNEL_USER: CredentialField = text("sshUser", "Of the tunnel: who signs in there.");
const TUNNEL_SIGN_IN: CredentialField =
    options("sshAuthenticateWith", &["password", "privateKey"], "Of the tunnel: how this client signs in there.");
const TUNNEL_PASSWORD: CredentialField = text("sshPassword", "Of the tunnel: the password.").secret();
const TUNNEL_KEY: CredentialField = text("privateKey", "Of the tunnel: the private key, in PEM form.").secret();
const TUNNEL_PASSPHRASE: CredentialField = text("passphrase", "Of the tunnel: what opens the private key.").secret();
/// As [`HOST_KEY`]; files of other installations have none, so that it has to be added to what they bring.
const TUNNEL_HOST_KEY: CredentialField = text(
    "sshHostKey",
    "Of the tunnel: the key of the server of SSH as `ssh-keyscan` tells it, or its fingerprint: SHA256:….",
);
const AUTHORITY: CredentialField =
    text("caCertificate", "The certificate authority in PEM form, where it is none of the public ones.");
const ANY_CERTIFICATE: &str = "Whether any certificate will do: anybody in between can read everything then.";

/// Every type that is known, by name.
pub const CREDENTIAL_TYPES: &[CredentialType] = &[
    CredentialType {
        name: "aws",
        display_name: "AWS",
        fields: &[
            text("region", "Where the service is, such as eu-central-1.").required(),
            text("accessKeyId", "Name of the key.").required(),
            text("secretAccessKey", "The key.").secret().required(),
            truth("temporaryCredentials", "Whether the key is one of a session."),
            text("sessionToken", "The token of the session.").secret(),
            truth("customEndpoints", "Whether other addresses stand for those of the services."),
            text("cognitoIdpEndpoint", "The address that stands for that of Cognito user pools."),
            text("comprehendEndpoint", "The address that stands for that of Comprehend."),
            text("elasticloadbalancingEndpoint", "The address that stands for that of Elastic Load Balancing."),
            text("iamEndpoint", "The address that stands for that of IAM."),
            text("lambdaEndpoint", "The address that stands for that of Lambda."),
            text("rekognitionEndpoint", "The address that stands for that of Rekognition."),
            text("s3Endpoint", "The address that stands for that of S3."),
            text("sesEndpoint", "The address that stands for that of SES."),
            text("snsEndpoint", "The address that stands for that of SNS."),
            text("sqsEndpoint", "The address that stands for that of SQS."),
            text("ssmEndpoint", "The address that stands for that of Systems Manager."),
        ],
    },
    CredentialType {
        name: "crypto",
        display_name: "Crypto",
        fields: &[
            text("hmacSecret", "The secret of keyed hashes.").secret(),
            text("signPrivateKey", "The private key of signatures, in PEM form.").secret(),
        ],
    },
    CredentialType {
        name: "ftp",
        display_name: "FTP",
        fields: &[
            text("host", "Name or address of the server.").required(),
            number("port", "Port of the server, 21 unless said otherwise."),
            text("username", "Who signs in."),
            text("password", "The password.").secret(),
            options("secure", &["none", "explicit", "implicit"], "How the connection is secured by TLS."),
            AUTHORITY,
            truth("allowUnauthorizedCerts", ANY_CERTIFICATE),
        ],
    },
    CredentialType {
        name: "httpBasicAuth",
        display_name: "Basic authentication",
        fields: &[text("user", "Who signs in.").required(), text("password", "The password.").secret().required()],
    },
    CredentialType {
        name: "httpBearerAuth",
        display_name: "Bearer authentication",
        fields: &[text("token", "The token that follows the word Bearer.").secret().required()],
    },
    CredentialType {
        name: "httpCustomAuth",
        display_name: "Custom authentication",
        fields: &[CredentialField {
            kind: CredentialFieldKind::Json,
            ..text("json", "Headers, query and body that are added to a request.").secret().required()
        }],
    },
    CredentialType {
        name: "httpDigestAuth",
        display_name: "Digest authentication",
        fields: &[text("user", "Who signs in.").required(), text("password", "The password.").secret().required()],
    },
    CredentialType {
        name: "httpHeaderAuth",
        display_name: "Header authentication",
        fields: &[
            text("name", "Name of the header.").required(),
            text("value", "What the header says.").secret().required(),
        ],
    },
    CredentialType {
        name: "httpQueryAuth",
        display_name: "Query authentication",
        fields: &[
            text("name", "Name of the query parameter.").required(),
            text("value", "What the parameter says.").secret().required(),
        ],
    },
    CredentialType {
        name: "imap",
        display_name: "IMAP",
        fields: &[
            text("user", "Who signs in.").required(),
            text("password", "The password.").secret().required(),
            text("host", "Name or address of the server.").required(),
            number("port", "Port of the server, 993 unless said otherwise."),
            truth("secure", "Whether the connection is secured from the beginning; true unless said otherwise."),
            truth("allowUnauthorizedCerts", ANY_CERTIFICATE),
            AUTHORITY,
        ],
    },
    CredentialType {
        name: "jwtAuth",
        display_name: "JSON web token",
        fields: &[
            options("keyType", &["passphrase", "pemKey"], "Whether tokens are signed with a secret or with a key."),
            text("secret", "The secret, where tokens are signed with one.").secret(),
            text("privateKey", "The key that signs, in PEM form.").secret(),
            text("publicKey", "The key that checks signatures, in PEM form.").secret(),
            options("algorithm", ALGORITHMS, "How tokens are signed."),
        ],
    },
    CredentialType {
        name: "kafka",
        display_name: "Kafka",
        fields: &[
            text("clientId", "Name of this client, timeloom unless said otherwise."),
            text("brokers", "Brokers with commas between: kafka.example:9092.").required(),
            truth("ssl", "Whether connections are secured by TLS."),
            truth("authentication", "Whether to sign in."),
            text("username", "Who signs in."),
            text("password", "The password.").secret(),
            options("saslMechanism", &["plain", "scram-sha-256", "scram-sha-512"], "How; plain unless said otherwise."),
            truth("allowUnauthorizedCerts", ANY_CERTIFICATE),
            AUTHORITY,
        ],
    },
    CredentialType {
        name: "mqtt",
        display_name: "MQTT",
        fields: &[
            options("protocol", &["mqtt", "mqtts", "ws"], "How; web sockets are not spoken here."),
            text("host", "Name or address of the broker.").required(),
            number("port", "Port of the broker, 1883 unless said otherwise, 8883 with TLS."),
            text("username", "Who signs in."),
            text("password", "The password.").secret(),
            truth("clean", "Whether the broker forgets what is missed; true unless said otherwise."),
            text("clientId", "Name under which the broker knows a trigger; its own unless said otherwise."),
            truth("ssl", "Whether the connection is secured by TLS."),
            truth("rejectUnauthorized", "Whether the broker's certificate is checked; true unless said otherwise."),
            text("ca", "The certificate authority in PEM form, where it is none of the public ones."),
            text("cert", "The certificate of this client, in PEM form."),
            text("key", "The private key of this client, in PEM form.").secret(),
        ],
    },
    CredentialType {
        name: "mySql",
        display_name: "MySQL",
        fields: &[
            text("host", "Name or address of the server.").required(),
            text("database", "The database."),
            text("user", "Who signs in."),
            text("password", "The password.").secret(),
            number("port", "Port of the server, 3306 unless said otherwise."),
            number("connectTimeout", "Longest time until there is a connection, in milliseconds."),
            truth("ssl", "Whether the connection is secured by TLS."),
            AUTHORITY,
            text("clientPrivateKey", "The private key of this client, in PEM form.").secret(),
            text("clientCertificate", "The certificate of this client, in PEM form."),
            TUNNEL,
            TUNNEL_HOST,
            TUNNEL_PORT,
            TUNNEL_USER,
            TUNNEL_SIGN_IN,
            TUNNEL_PASSWORD,
            TUNNEL_KEY,
            TUNNEL_PASSPHRASE,
            TUNNEL_HOST_KEY,
        ],
    },
    CredentialType {
        name: "nats",
        display_name: "NATS",
        fields: &[
            text("host", "Name or address of the server.").required(),
            number("port", "Port of the server, 4222 unless said otherwise."),
            text("user", "Who signs in."),
            text("password", "The password.").secret(),
            text("token", "A token, instead of user and password.").secret(),
            truth("tls", "Whether the connection is secured by TLS."),
            truth("allowUnauthorizedCerts", ANY_CERTIFICATE),
            AUTHORITY,
        ],
    },
    CredentialType {
        name: "oAuth2Api",
        display_name: "OAuth 2",
        fields: &[
            options("grantType", &["authorizationCode", "clientCredentials", "pkce"], "How permission is asked for."),
            text("authUrl", "Where people give permission."),
            text("accessTokenUrl", "Where tokens are given out.").required(),
            text("clientId", "Who asks.").required(),
            text("clientSecret", "The secret of who asks.").secret(),
            text("scope", "What is asked for."),
            text("resource", "The address of the server that tokens are for, where tokens are for one."),
            text("authQueryParameters", "Further parameters of the question for permission."),
            options("authentication", &["header", "body"], "Where the secret of who asks is sent."),
        ],
    },
    CredentialType {
        name: "postgres",
        display_name: "Postgres",
        fields: &[
            text("host", "Name or address of the server.").required(),
            text("database", "The database.").required(),
            text("user", "Who signs in.").required(),
            text("password", "The password.").secret(),
            number("maxConnections", "Most connections at a time."),
            truth("allowUnauthorizedCerts", ANY_CERTIFICATE),
            options("ssl", &["allow", "disable", "require"], "Whether the connection is secured by TLS."),
            AUTHORITY,
            number("port", "Port of the server, 5432 unless said otherwise."),
            TUNNEL,
            TUNNEL_HOST,
            TUNNEL_PORT,
            TUNNEL_USER,
            TUNNEL_SIGN_IN,
            TUNNEL_PASSWORD,
            TUNNEL_KEY,
            TUNNEL_PASSPHRASE,
            TUNNEL_HOST_KEY,
        ],
    },
    CredentialType {
        name: "rabbitmq",
        display_name: "RabbitMQ",
        fields: &[
            text("hostname", "Name or address of the server.").required(),
            number("port", "Port of the server, 5672 unless said otherwise, 5671 with TLS."),
            text("username", "Who signs in.").required(),
            text("password", "The password.").secret().required(),
            text("vhost", "The virtual host, / unless said otherwise."),
            truth("ssl", "Whether the connection is secured by TLS."),
            truth("allowUnauthorizedCerts", ANY_CERTIFICATE),
            text("ca", "The certificate authority in PEM form, where it is none of the public ones."),
            text("cert", "The certificate of this client, in PEM form."),
            text("key", "The private key of this client, in PEM form.").secret(),
        ],
    },
    CredentialType {
        name: "redis",
        display_name: "Redis",
        fields: &[
            text("password", "The password.").secret(),
            text("user", "Who signs in, where the server knows several."),
            text("host", "Name or address of the server.").required(),
            number("port", "Port of the server, 6379 unless said otherwise."),
            number("database", "Number of the database, 0 unless said otherwise."),
            truth("ssl", "Whether the connection is secured by TLS."),
            truth("disableTlsVerification", ANY_CERTIFICATE),
            AUTHORITY,
        ],
    },
    CredentialType {
        name: "s3",
        display_name: "S3",
        fields: &[
            text("endpoint", "Address of the service, such as https://s3.example.com.").required(),
            text("region", "The region, us-east-1 unless said otherwise."),
            text("accessKeyId", "Name of the key.").required(),
            text("secretAccessKey", "The key.").secret().required(),
            truth("forcePathStyle", "Whether buckets stand in the path instead of in the host."),
            truth("ignoreSSLIssues", ANY_CERTIFICATE),
        ],
    },
    CredentialType {
        name: "sftp",
        display_name: "SFTP",
        fields: &[
            text("host", "Name or address of the server.").required(),
            number("port", "Port of the server, 22 unless said otherwise."),
            text("username", "Who signs in.").required(),
            text("password", "The password.").secret(),
            text("privateKey", "The private key, in PEM form.").secret(),
            text("passphrase", "What opens the private key.").secret(),
            HOST_KEY,
        ],
    },
    CredentialType {
        name: "smtp",
        display_name: "SMTP",
        fields: &[
            text("user", "Who signs in; empty where nobody has to."),
            text("password", "The password.").secret(),
            text("host", "Name or address of the server.").required(),
            number("port", "Port of the server, 465 unless said otherwise, 587 when it is secured later."),
            truth("secure", "Whether the connection is secured from the beginning; true unless said otherwise."),
            truth(
                "disableStartTls",
                "Whether a connection that is not secured stays so: others can read everything then.",
            ),
            text("hostName", "Name by which this client calls itself."),
            truth("allowUnauthorizedCerts", ANY_CERTIFICATE),
            AUTHORITY,
        ],
    },
    CredentialType {
        name: "sshPassword",
        display_name: "SSH password",
        fields: &[
            text("host", "Name or address of the server.").required(),
            number("port", "Port of the server, 22 unless said otherwise."),
            text("username", "Who signs in.").required(),
            text("password", "The password.").secret().required(),
            HOST_KEY,
        ],
    },
    CredentialType {
        name: "sshPrivateKey",
        display_name: "SSH private key",
        fields: &[
            text("host", "Name or address of the server.").required(),
            number("port", "Port of the server, 22 unless said otherwise."),
            text("username", "Who signs in.").required(),
            text("privateKey", "The private key, in PEM form.").secret().required(),
            text("passphrase", "What opens the private key.").secret(),
            HOST_KEY,
        ],
    },
    CredentialType {
        name: "totpApi",
        display_name: "Time-based one-time password",
        fields: &[
            text("secret", "The secret, in base32.").secret().required(),
            text("label", "Who it is for, such as provider:name."),
        ],
    },
];

/// The type of that name, if it is known.
pub fn credential_type(name: &str) -> Option<&'static CredentialType> {
    CREDENTIAL_TYPES.iter().find(|known| known.name == name)
}

/// Checks the fields of a credential: a node of this build can use them, as far as that can be told.
///
/// # Errors
/// [`CredentialRefusal`], which names fields and never tells a value.
pub fn check_fields(credential_type_name: &str, fields: &JsonObject) -> Result<(), CredentialRefusal> {
    let bytes = serde_json::to_string(fields).map_or(usize::MAX, |text| text.len());
    if bytes > FIELDS_BYTES_MAX {
        return Err(CredentialRefusal::TooLarge(bytes));
    }
    let Some(known) = credential_type(credential_type_name) else { return Ok(()) };
    known.fields.iter().try_for_each(|field| check_field(known.name, field, fields.get(field.name)))
}

fn check_field(
    credential_type: &'static str,
    field: &CredentialField,
    value: Option<&Value>,
) -> Result<(), CredentialRefusal> {
    let invalid = |expected: String| CredentialRefusal::InvalidField { credential_type, field: field.name, expected };
    match (field.kind, value) {
        (_, None | Some(Value::Null)) if field.required => {
            Err(CredentialRefusal::MissingField { credential_type, field: field.name })
        }
        (_, None | Some(Value::Null)) => Ok(()),
        (CredentialFieldKind::Text, Some(Value::String(text))) if text.is_empty() && field.required => {
            Err(CredentialRefusal::MissingField { credential_type, field: field.name })
        }
        (CredentialFieldKind::Text, Some(Value::String(_))) => Ok(()),
        (CredentialFieldKind::Text, Some(_)) => Err(invalid("text".to_owned())),
        (CredentialFieldKind::Number, Some(Value::Number(_))) => Ok(()),
        (CredentialFieldKind::Number, Some(Value::String(text))) if text.trim().parse::<f64>().is_ok() => Ok(()),
        (CredentialFieldKind::Number, Some(_)) => Err(invalid("a number".to_owned())),
        (CredentialFieldKind::Boolean, Some(Value::Bool(_))) => Ok(()),
        (CredentialFieldKind::Boolean, Some(Value::String(text))) if text == "true" || text == "false" => Ok(()),
        (CredentialFieldKind::Boolean, Some(_)) => Err(invalid("true or false".to_owned())),
        (CredentialFieldKind::Options(words), Some(Value::String(word))) if words.contains(&word.as_str()) => Ok(()),
        (CredentialFieldKind::Options(words), Some(_)) => Err(invalid(format!("one of {}", words.join(", ")))),
        (CredentialFieldKind::Json, Some(Value::Object(_))) => Ok(()),
        (CredentialFieldKind::Json, Some(Value::String(text))) if serde_json::from_str::<JsonObject>(text).is_ok() => {
            Ok(())
        }
        (CredentialFieldKind::Json, Some(_)) => Err(invalid("a JSON object".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(credential_type: &str, fields: Value) -> Result<(), String> {
        let Value::Object(fields) = fields else { panic!("these are no fields") };
        check_fields(credential_type, &fields).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn types_are_listed_by_name_and_each_has_fields() {
        assert!(CREDENTIAL_TYPES.is_sorted_by(|earlier, later| earlier.name < later.name));
        for known in CREDENTIAL_TYPES {
            assert!(known.fields.iter().any(|field| field.secret), "{} has nothing to hide", known.name);
        }
    }

    #[test]
    fn fields_that_a_node_could_not_use_are_refused_without_telling_them() {
        assert_eq!(check("httpBasicAuth", json!({"user": "ann", "password": "open-sesame"})), Ok(()));
        for (credential_type, fields, field) in [
            ("httpBasicAuth", json!({"user": "ann"}), "'password'"),
            ("httpBasicAuth", json!({"user": "", "password": "open-sesame"}), "'user'"),
            ("httpHeaderAuth", json!({"name": "X-Key", "value": ["open-sesame"]}), "'value'"),
            ("httpCustomAuth", json!({"json": "open-sesame"}), "'json'"),
            ("jwtAuth", json!({"secret": "open-sesame", "algorithm": "open-sesame"}), "'algorithm'"),
            ("totpApi", json!({"label": "open-sesame"}), "'secret'"),
            ("redis", json!({"host": "db", "port": "open-sesame"}), "'port'"),
            ("redis", json!({"host": "db", "ssl": "open-sesame"}), "'ssl'"),
            ("mySql", json!({"host": "db", "sshTunnel": "open-sesame"}), "'sshTunnel'"),
            ("mySql", json!({"host": "db", "sshAuthenticateWith": "open-sesame"}), "'sshAuthenticateWith'"),
            ("sftp", json!({"host": "db", "username": "ann", "password": "open-sesame"}), "'hostKey'"),
        ] {
            let refusal = check(credential_type, fields).unwrap_err();
            assert!(refusal.contains(field) && refusal.contains(credential_type), "{refusal}");
            assert!(!refusal.contains("sesame"), "{refusal}");
        }
    }

    #[test]
    fn numbers_and_truths_are_taken_as_files_and_forms_have_them() {
        assert_eq!(check("redis", json!({"host": "db", "port": 6379, "database": "1", "ssl": true})), Ok(()));
        assert_eq!(check("redis", json!({"host": "db", "port": "6379", "database": null, "ssl": "false"})), Ok(()));
    }

    #[test]
    fn a_type_that_is_not_known_has_whatever_fields_it_has() {
        assert_eq!(check("someServiceApi", json!({"apiKey": 7, "region": {"x": [1]}})), Ok(()));
        let large = check("someServiceApi", json!({"apiKey": "x".repeat(FIELDS_BYTES_MAX)})).unwrap_err();
        assert!(large.contains("65536"), "{large}");
    }

    #[test]
    fn fields_beyond_those_of_the_type_are_kept() {
        let fields = json!({"user": "ann", "password": "x", "allowedDomains": "example.com"});
        assert_eq!(check("httpBasicAuth", fields), Ok(()));
    }
}
