//! The routes of the protocol over a [`Registry`].

use std::sync::Arc;

use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use timeloom_domain::model::ModelVersion;

use super::PREFIX;
use super::answer::{PRODUCTION, latest, model, source, version, version_of};
use super::filter::Filter;
use super::order::{Keys, Order, Page};
use super::parameters::Parameters;
use super::refusal::{Refusal, RefusalKind};
use super::registry::{Change, Purpose, Registered, Registry};

/// Models of a page where nothing is said, and the most.
const MODELS: (usize, usize) = (100, 1_000);
/// Versions of a page where nothing is said, and the most.
const VERSIONS: (usize, usize) = (1_000, 10_000);

/// What else would change models, and what does here.
const UNCHANGED: [(&str, &str); 11] = [
    (
        "/registered-models/create",
        "'timeloom model register NAME' takes a name, 'timeloom model add' a name and a file",
    ),
    ("/registered-models/rename", "names stay: register another one"),
    ("/registered-models/update", "descriptions are given when a name is registered"),
    ("/registered-models/delete", "'timeloom model retire NAME' puts a model away"),
    ("/registered-models/set-tag", "there are no tags of your own: aliases are"),
    ("/registered-models/delete-tag", "there are no tags of your own: aliases are"),
    ("/model-versions/create", "'timeloom model add NAME FILE' adds a version"),
    ("/model-versions/update", "versions stay as they were added"),
    ("/model-versions/delete", "'timeloom model withdraw NAME VERSION --reason TEXT' lets a version answer no more"),
    ("/model-versions/set-tag", "there are no tags of your own: aliases are"),
    ("/model-versions/delete-tag", "there are no tags of your own: aliases are"),
];

/// Puts the routes under [`PREFIX`] of a server.
pub fn routes<R: Registry>(registry: Arc<R>) -> impl FnOnce(&mut ServiceConfig) + Clone {
    move |config| {
        let all = web::scope(PREFIX)
            .app_data(Data::from(registry))
            .route("/registered-models/get", web::get().to(get_model::<R>))
            .route("/registered-models/search", web::get().to(search_models::<R>))
            .route("/registered-models/get-latest-versions", web::get().to(latest_versions::<R>))
            .route("/registered-models/get-latest-versions", web::post().to(latest_versions::<R>))
            .route("/registered-models/alias", web::get().to(get_by_alias::<R>))
            .route("/registered-models/alias", web::post().to(set_alias::<R>))
            .route("/registered-models/alias", web::delete().to(remove_alias::<R>))
            .route("/model-versions/get", web::get().to(get_version::<R>))
            .route("/model-versions/search", web::get().to(search_versions::<R>))
            .route("/model-versions/get-download-uri", web::get().to(download_uri::<R>))
            .route("/model-versions/transition-stage", web::post().to(transition::<R>));
        let refuse = |instead: &'static str| {
            web::to(move || async move {
                let message = format!("models are not changed in this way here: {instead}");
                Refusal::new(RefusalKind::NotServed, message).response()
            })
        };
        let all = UNCHANGED.into_iter().fold(all, |all, (path, instead)| all.route(path, refuse(instead)));
        config.service(all.default_service(web::to(nothing)));
    }
}

async fn nothing() -> HttpResponse {
    let message =
        "of this protocol the registry of models is served, and nothing else: runs, artifacts and prompts are not";
    Refusal::new(RefusalKind::NotServed, message).response()
}

/// Who asks, and what for.
async fn asked<R: Registry>(
    registry: &Data<R>,
    request: &HttpRequest,
    body: Payload,
    purpose: Purpose,
) -> Result<(R::Who, Parameters), Refusal> {
    let who = registry.who(request, purpose)?;
    Ok((who, Parameters::of(request, body).await?))
}

fn told(answer: Result<Value, Refusal>) -> HttpResponse {
    match answer {
        Ok(body) => HttpResponse::Ok().json(body),
        Err(refusal) => refusal.response(),
    }
}

async fn get_model<R: Registry>(registry: Data<R>, request: HttpRequest, body: Payload) -> HttpResponse {
    let found = async {
        let (who, parameters) = asked(&registry, &request, body, Purpose::See).await?;
        let found = registry.model(&who, parameters.required("name")?).await?;
        Ok(json!({ "registered_model": model(&found) }))
    };
    told(found.await)
}

async fn search_models<R: Registry>(registry: Data<R>, request: HttpRequest, body: Payload) -> HttpResponse {
    let found = async {
        let (who, parameters) = asked(&registry, &request, body, Purpose::See).await?;
        let filter = Filter::parse(parameters.text("filter")?.unwrap_or_default())?;
        let order = Order::parse(&parameters.texts("order_by")?)?;
        let page = Page::of(&parameters, MODELS.0, MODELS.1)?;
        let mut found = Vec::new();
        for registered in registry.models(&who).await? {
            if filter.takes_model(&registered)? {
                found.push(registered);
            }
        }
        found.sort_by(|one, two| order.compare(&keys_of_model(one), &keys_of_model(two)));
        let (models, next) = page.cut(found, |registered| model(&registered));
        Ok(json!({ "registered_models": models, "next_page_token": next }))
    };
    told(found.await)
}

fn keys_of_model(registered: &Registered) -> Keys<'_> {
    let (created_ms, updated_ms) = (registered.created_ms, registered.updated_ms);
    Keys { name: &registered.name, version: 0, created_ms, updated_ms }
}

async fn latest_versions<R: Registry>(registry: Data<R>, request: HttpRequest, body: Payload) -> HttpResponse {
    let found = async {
        let (who, parameters) = asked(&registry, &request, body, Purpose::See).await?;
        let found = registry.model(&who, parameters.required("name")?).await?;
        Ok(json!({ "model_versions": latest(&found, &parameters.texts("stages")?) }))
    };
    told(found.await)
}

async fn get_version<R: Registry>(registry: Data<R>, request: HttpRequest, body: Payload) -> HttpResponse {
    let found = async {
        let (who, parameters) = asked(&registry, &request, body, Purpose::See).await?;
        let found = registry.model(&who, parameters.required("name")?).await?;
        Ok(json!({ "model_version": version(&found, version_of(&found, parameters.version()?)?) }))
    };
    told(found.await)
}

async fn get_by_alias<R: Registry>(registry: Data<R>, request: HttpRequest, body: Payload) -> HttpResponse {
    let found = async {
        let (who, parameters) = asked(&registry, &request, body, Purpose::See).await?;
        let found = registry.model(&who, parameters.required("name")?).await?;
        let alias = parameters.required("alias")?;
        let named = found.model.aliases.iter().find(|(own, _)| own.as_str() == alias).map(|(_, number)| *number);
        let number = named.ok_or_else(|| {
            let alias: String = alias.chars().take(100).collect();
            let message = format!("the model '{}' has no alias '{alias}': set it first", found.name);
            // As the protocol's own server says it: the alias is a wrong word, not a thing that is missing.
            Refusal::invalid(message)
        })?;
        Ok(json!({ "model_version": version(&found, version_of(&found, number)?) }))
    };
    told(found.await)
}

async fn search_versions<R: Registry>(registry: Data<R>, request: HttpRequest, body: Payload) -> HttpResponse {
    let found = async {
        let (who, parameters) = asked(&registry, &request, body, Purpose::See).await?;
        let filter = Filter::parse(parameters.text("filter")?.unwrap_or_default())?;
        let order = Order::parse(&parameters.texts("order_by")?)?;
        let page = Page::of(&parameters, VERSIONS.0, VERSIONS.1)?;
        let models = registry.models(&who).await?;
        let mut found: Vec<(&Registered, &ModelVersion)> = Vec::new();
        for registered in &models {
            for known in registered.model.versions.iter().rev() {
                if filter.takes_version(registered, known)? {
                    found.push((registered, known));
                }
            }
        }
        found.sort_by(|one, two| order.compare(&keys_of_version(*one), &keys_of_version(*two)));
        let (versions, next) = page.cut(found, |(registered, known)| version(registered, known));
        Ok(json!({ "model_versions": versions, "next_page_token": next }))
    };
    told(found.await)
}

fn keys_of_version<'k>((registered, known): (&'k Registered, &ModelVersion)) -> Keys<'k> {
    let added_ms = registered.added_ms(known);
    Keys { name: &registered.name, version: known.version, created_ms: added_ms, updated_ms: added_ms }
}

async fn download_uri<R: Registry>(registry: Data<R>, request: HttpRequest, body: Payload) -> HttpResponse {
    let found = async {
        let (who, parameters) = asked(&registry, &request, body, Purpose::See).await?;
        let found = registry.model(&who, parameters.required("name")?).await?;
        Ok(json!({ "artifact_uri": source(version_of(&found, parameters.version()?)?) }))
    };
    told(found.await)
}

async fn set_alias<R: Registry>(registry: Data<R>, request: HttpRequest, body: Payload) -> HttpResponse {
    let changed = async {
        let (who, parameters) = asked(&registry, &request, body, Purpose::Change).await?;
        let (alias, version) = (parameters.required("alias")?.to_owned(), parameters.version()?);
        registry.change(&who, parameters.required("name")?, Change::SetAlias { alias, version }).await?;
        Ok(json!({}))
    };
    told(changed.await)
}

async fn remove_alias<R: Registry>(registry: Data<R>, request: HttpRequest, body: Payload) -> HttpResponse {
    let changed = async {
        let (who, parameters) = asked(&registry, &request, body, Purpose::Change).await?;
        let alias = parameters.required("alias")?.to_owned();
        registry.change(&who, parameters.required("name")?, Change::RemoveAlias { alias }).await?;
        Ok(json!({}))
    };
    told(changed.await)
}

/// The one stage that a version is brought to is that in which it answers.
async fn transition<R: Registry>(registry: Data<R>, request: HttpRequest, body: Payload) -> HttpResponse {
    let changed = async {
        let (who, parameters) = asked(&registry, &request, body, Purpose::Change).await?;
        let (name, number) = (parameters.required("name")?, parameters.version()?);
        if !parameters.required("stage")?.eq_ignore_ascii_case(PRODUCTION) {
            let message =
                "versions are brought to the stage Production alone, which promotes them: set an alias for others";
            return Err(Refusal::new(RefusalKind::NotServed, message));
        }
        registry.change(&who, name, Change::Promote { version: number }).await?;
        let found = registry.model(&who, name).await?;
        Ok(json!({ "model_version": version(&found, version_of(&found, number)?) }))
    };
    told(changed.await)
}
