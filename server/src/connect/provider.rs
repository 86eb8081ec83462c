//! Whoever gives tokens out, as a credential names them.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::OutboundPolicy;
use url::Url;
use url::form_urlencoded;

use super::NotConnected;
use super::state::challenge;

/// Longest wait for an answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// Largest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Longest words of a refusal that are passed on, in characters.
const WORDS_CHARACTERS_MAX: usize = 200;
/// What is kept of an answer with tokens.
const KEPT: [&str; 5] = ["access_token", "refresh_token", "token_type", "scope", "expires_in"];
/// Parameters of the question that nobody else decides about.
const OWN: [&str; 7] =
    ["response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"];

/// A client as its provider knows it.
pub(super) struct Client<'c> {
    fields: &'c JsonObject,
    auth: Url,
    token: Url,
}

impl<'c> Client<'c> {
    /// The client that a credential has the fields of.
    ///
    /// # Errors
    /// When there is nothing to give permission to.
    pub(super) fn of(fields: &'c JsonObject) -> Result<Self, NotConnected> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("grantType") == "clientCredentials" || text("authUrl").is_empty() {
            return Err(NotConnected::NothingToConnect);
        }
        let address = |name: &'static str| {
            let url = Url::parse(text(name)).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
            url.ok_or(NotConnected::NoAddress(name))
        };
        Ok(Self { fields, auth: address("authUrl")?, token: address("accessTokenUrl")? })
    }

    fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Where the browser is sent to ask for permission.
    pub(super) fn question(&self, callback: &str, state: &str, verifier: &str) -> Url {
        let mut address = self.auth.clone();
        let further = form_urlencoded::parse(self.text("authQueryParameters").trim_start_matches('?').as_bytes());
        let further = further.filter(|(name, _)| !OWN.contains(&&**name));
        let mut query = address.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", self.text("clientId"))
            .append_pair("redirect_uri", callback)
            .append_pair("state", state)
            .append_pair("code_challenge", &challenge(verifier))
            .append_pair("code_challenge_method", "S256");
        if !self.text("scope").is_empty() {
            query.append_pair("scope", self.text("scope"));
        }
        if !self.text("resource").is_empty() {
            query.append_pair("resource", self.text("resource"));
        }
        query.extend_pairs(further);
        drop(query);
        address
    }

    /// The tokens for a code.
    ///
    /// # Errors
    /// When the address may not be reached, or what it answers is none.
    pub(super) async fn exchange(
        &self,
        outbound: &OutboundPolicy,
        code: &str,
        callback: &str,
        verifier: &str,
    ) -> Result<JsonObject, NotConnected> {
        let host = self.token.host_str().unwrap_or_default();
        let failed = |why: String| NotConnected::Provider(format!("{host} gave no tokens: {why}"));
        let client = timeloom_nodes::client_for(&self.token, outbound).map_err(|error| failed(error.to_string()))?;
        let (id, secret) = (self.text("clientId"), self.text("clientSecret"));
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", verifier),
        ];
        if !self.text("resource").is_empty() {
            form.push(("resource", self.text("resource")));
        }
        let mut request = client.post(self.token.clone()).header("accept", "application/json");
        match (secret.is_empty(), self.text("authentication")) {
            (true, _) => form.push(("client_id", id)),
            (false, "body") => form.extend([("client_id", id), ("client_secret", secret)]),
            // As nodes send it when they renew the tokens: what a provider takes here it has to take there.
            (false, _) => request = request.basic_auth(id, Some(secret)),
        }
        let asked = async {
            let response = request.form(&form).send().await.map_err(|error| failed(error.without_url().to_string()))?;
            let status = response.status();
            let mut body = Vec::new();
            let mut pieces = response.bytes_stream();
            while let Some(piece) = pieces.next().await {
                body.extend_from_slice(&piece.map_err(|error| failed(error.without_url().to_string()))?);
                if body.len() > ANSWER_BYTES_MAX {
                    return Err(failed("its answer is too long".to_owned()));
                }
            }
            Ok((status, body))
        };
        let in_time = tokio::time::timeout(ANSWER_TIME_MAX, asked).await;
        let (status, body) = in_time.map_err(|_| failed("it took too long to answer".to_owned()))??;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success()
            && answer.get("access_token").is_some_and(|token| token.as_str().is_some_and(|token| !token.is_empty()))
        {
            return Ok(KEPT.iter().filter_map(|name| Some(((*name).to_owned(), answer.get(name)?.clone()))).collect());
        }
        let words: Vec<&str> =
            ["error", "error_description"].iter().filter_map(|name| answer.get(name)?.as_str()).collect();
        let words: String =
            words.join(": ").chars().filter(|sign| !sign.is_control()).take(WORDS_CHARACTERS_MAX).collect();
        Err(failed(format!("it answered with status {} {words}", status.as_u16()).trim_end().to_owned()))
    }
}
