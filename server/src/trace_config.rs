//! The settings of traces: where they go, and which. Their names in the environment are those that OpenTelemetry gives them,
//! where it gives any.

use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgAction, Args};
use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use timeloom_domain::trace::Sampling;
use timeloom_monitor::Collector;
use url::Url;

use crate::collector::HttpCollector;

/// Where traces go, and which.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceConfig {
    /// Sends traces to a collector of OpenTelemetry at this address, such as http://localhost:4318: by OTLP over HTTP with
    /// protobuf, to the path /v1/traces below it. Without it nothing is traced.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    pub otlp_endpoint: Option<String>,
    /// A header for the collector, NAME=VALUE, any number of times. Everybody on a machine sees the flags of its programs:
    /// a secret belongs into the variable, in which commas part the headers.
    #[arg(
        long = "otlp-header",
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        value_name = "NAME=VALUE",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub otlp_headers: Vec<String>,
    /// The share of traces that are sent, from 0 to 1, of those of which the caller has not said it.
    #[arg(long, env = "TIMELOOM_OTLP_SAMPLE", value_name = "SHARE", default_value = "1", value_parser = share)]
    pub otlp_sample: Sampling,
    /// The name under which this deployment is found among traces.
    #[arg(long, env = "OTEL_SERVICE_NAME", value_name = "NAME", default_value = "timeloom")]
    pub otlp_service_name: String,
    /// Whether HTTP Request and GraphQL nodes tell those whom they ask of the trace, by the header `traceparent`.
    #[arg(long, env = "TIMELOOM_OTLP_OUTGOING", value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub otlp_outgoing: bool,
}

/// What is to be traced.
#[derive(Clone)]
pub struct TraceOptions {
    /// Where spans go.
    pub collector: Arc<dyn Collector>,
    /// The service's name.
    pub service_name: String,
    /// Which traces are sent.
    pub sampling: Sampling,
    /// Whether those whom nodes ask are told.
    pub tells: bool,
}

impl TraceConfig {
    /// The variable with the headers for the collector, which may be secrets.
    pub const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
    /// The path below the collector's address.
    const PATH: &str = "v1/traces";

    /// What is to be traced; `None` where no collector is named.
    ///
    /// # Errors
    /// When the address or a header is none; the message says what to do.
    pub fn options(&self) -> anyhow::Result<Option<TraceOptions>> {
        let Some(endpoint) = self.otlp_endpoint.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let collector = HttpCollector::try_new(address(endpoint)?, self.headers()?)?;
        Ok(Some(TraceOptions {
            collector: Arc::new(collector),
            service_name: self.otlp_service_name.clone(),
            sampling: self.otlp_sample,
            tells: self.otlp_outgoing,
        }))
    }

    /// Messages name headers, never their values.
    fn headers(&self) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for header in self.otlp_headers.iter().map(|header| header.trim()).filter(|header| !header.is_empty()) {
            let (name, value) = header.split_once('=').context("a header for the collector is written NAME=VALUE")?;
            let value = percent_decode_str(value.trim()).collect::<Vec<u8>>();
            let known = HeaderName::from_bytes(name.trim().as_bytes());
            let known = known.with_context(|| format!("'{name}' is no name of a header for the collector"))?;
            let value = HeaderValue::from_bytes(&value);
            let mut value = value.with_context(|| format!("the value of the collector's header '{name}' is none"))?;
            value.set_sensitive(true);
            headers.insert(known, value);
        }
        Ok(headers)
    }
}

/// Where spans are sent. An address that ends with the path itself is taken as it is.
fn address(endpoint: &str) -> anyhow::Result<Url> {
    // It may have a password in it, so it is not shown.
    let wrong = "--otlp-endpoint is no address: give one such as http://localhost:4318";
    let url = Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https")).context(wrong)?;
    let mut url = url;
    if !url.path().ends_with(&format!("/{}", TraceConfig::PATH)) {
        let path = format!("{}/{}", url.path().trim_end_matches('/'), TraceConfig::PATH);
        url.set_path(&path);
    }
    Ok(url)
}

fn share(text: &str) -> Result<Sampling, String> {
    let share = text.trim().parse().ok().and_then(Sampling::try_new);
    share.ok_or_else(|| format!("'{text}' is no share: give a number from 0 to 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(endpoint: Option<&str>, headers: &[&str]) -> TraceConfig {
        TraceConfig {
            otlp_endpoint: endpoint.map(str::to_owned),
            otlp_headers: headers.iter().map(|header| (*header).to_owned()).collect(),
            otlp_sample: Sampling::ALL,
            otlp_service_name: "timeloom".to_owned(),
            otlp_outgoing: true,
        }
    }

    #[test]
    fn the_path_of_traces_is_below_the_address_or_its_end() {
        for (given, wanted) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("https://collector.example/otlp/", "https://collector.example/otlp/v1/traces"),
            ("https://collector.example/otlp/v1/traces", "https://collector.example/otlp/v1/traces"),
        ] {
            assert_eq!(address(given).unwrap().as_str(), wanted);
        }
        for wrong in ["localhost:4318", "grpc://localhost:4317", "http://", "::"] {
            assert!(address(wrong).unwrap_err().to_string().contains("http://localhost:4318"), "{wrong}");
        }
    }

    #[test]
    fn headers_are_decoded_and_what_is_none_is_refused_without_its_value() {
        let headers = config(None, &["api-key=s%20ecret", " x-tenant = 7 ", ""]).headers().unwrap();
        assert_eq!(headers["api-key"], "s ecret");
        assert_eq!(headers["x-tenant"], "7");
        assert!(!format!("{headers:?}").contains("ecret"));
        for wrong in ["api-key", "a b=secret", "api-key=secret%0a"] {
            let message = format!("{:#}", config(None, &[wrong]).headers().unwrap_err());
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn without_an_address_nothing_is_traced() {
        assert!(config(None, &[]).options().unwrap().is_none());
        assert!(config(Some(" "), &[]).options().unwrap().is_none());
        assert!(share("0.25").is_ok());
        assert!(share("2").unwrap_err().contains("from 0 to 1"));
    }
}
