//! What can be asked, page by page.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::response;
use super::routes::check_version;
use crate::refused::Refused;
use crate::speaking::{Offered, Speaking, model_of};

/// Models of a page where nothing is said.
const PAGE: usize = 20;
/// Most models of a page.
const PAGE_MAX: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct Wanted {
    limit: Option<usize>,
    after_id: Option<String>,
    before_id: Option<String>,
}

pub(super) async fn models<S: Speaking>(
    speaking: Data<S>,
    request: HttpRequest,
    wanted: Query<Wanted>,
) -> HttpResponse {
    let listed = async {
        let who = speaking.who(&request)?;
        check_version(&request)?;
        let page = page_of(speaking.models(&who).await?, &wanted)?;
        Ok(HttpResponse::Ok().json(page))
    };
    listed.await.unwrap_or_else(|refused: Refused| response(&refused))
}

/// A page after one model or before another; both are the names of models, which are in order.
fn page_of(models: Vec<Offered>, wanted: &Wanted) -> Result<Value, Refused> {
    let limit = wanted.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refused::invalid("'limit' must be 1 to 1000"));
    }
    let names = models.into_iter().map(|model| model.name);
    let (after, before) = (wanted.after_id.as_deref(), wanted.before_id.as_deref());
    let all: Vec<String> = names
        .filter(|name| {
            after.is_none_or(|after| name.as_str() > after) && before.is_none_or(|before| name.as_str() < before)
        })
        .collect();
    // Whoever goes back wants those that are next to where they are.
    let begin = if before.is_some() && after.is_none() { all.len().saturating_sub(limit) } else { 0 };
    let page: Vec<&String> = all.iter().skip(begin).take(limit).collect();
    Ok(json!({
        "data": page.iter().map(|name| described(name)).collect::<Vec<Value>>(),
        "has_more": page.len() < all.len(),
        "first_id": page.first(),
        "last_id": page.last(),
    }))
}

pub(super) async fn model<S: Speaking>(speaking: Data<S>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    let found = async {
        let who = speaking.who(&request)?;
        check_version(&request)?;
        let model = model_of(&**speaking, &who, &name, "GET /v1/models").await?;
        Ok(HttpResponse::Ok().json(described(&model.name)))
    };
    found.await.unwrap_or_else(|refused: Refused| response(&refused))
}

/// Since when there is a route is not told.
fn described(name: &str) -> Value {
    json!({ "type": "model", "id": name, "display_name": name, "lifecycle": "active", "created_at": "1970-01-01T00:00:00Z" })
}
