//! What is written down of those who look: whoever reads the audit trail, or who has access, leaves an event.
//!
//! It is written before anything is answered, once a request for each part of what is read. Invariant: what could not be
//! written down is not answered.

use std::sync::Arc;

use async_graphql::{Context, Result};
use timeloom_domain::audit::AuditEvent;
use timeloom_domain::event::{AUDITED, is_audited};
use timeloom_store::{Filter, StreamKey};
use tokio::sync::Mutex;

use crate::schema::faults::coded;
use crate::state::ApiState;

/// Most characters of what is told of a filter.
const WHICH_CHARACTERS_MAX: usize = 500;

/// What of a request was written down already. One is put into every request's data.
#[derive(Debug, Default)]
pub(crate) struct WrittenDown(Mutex<Vec<(&'static str, Option<String>)>>);

/// Writes down that whoever asks looks at something.
pub(crate) async fn look(
    context: &Context<'_>,
    state: &ApiState,
    what: &'static str,
    which: Option<String>,
) -> Result<()> {
    let which = which.map(|which| which.chars().take(WHICH_CHARACTERS_MAX).collect::<String>());
    let written = context.data_opt::<Arc<WrittenDown>>().cloned().unwrap_or_default();
    // Whoever asks the same at the same moment waits for it.
    let mut written = written.0.lock().await;
    if written.iter().any(|known| *known == (what, which.clone())) {
        return Ok(());
    }
    // An id of its own: those that follow from the request's key belong to its changes.
    let command = state.context(Some(state.commands().ids().uuid()));
    let event = AuditEvent::AuditTrailRead { what: what.to_owned(), which: which.clone() };
    if let Err(error) = state.access().write_down(&command, event).await {
        tracing::error!(%error, what, "that somebody looked could not be written down, so nothing is answered");
        let message = "who looks at this is written down first, and that could not be done: try again";
        return Err(coded("NOT_WRITTEN_DOWN", message));
    }
    written.push((what, which));
    Ok(())
}

/// Writes down that events are read, if the audit trail may be among them.
pub(crate) async fn look_at_events(
    context: &Context<'_>,
    state: &ApiState,
    what: &'static str,
    filter: &Filter,
) -> Result<()> {
    if !may_show_audit_trail(filter) {
        return Ok(());
    }
    let list = |name: &str, texts: &[Arc<str>]| (!texts.is_empty()).then(|| format!("{name}: {}", texts.join(", ")));
    let stream = filter.stream.as_ref().map(|stream| format!("stream: {stream}"));
    let parts = [list("categories", &filter.categories), list("types", &filter.event_types), stream];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    look(context, state, what, (!parts.is_empty()).then(|| parts.join("; "))).await
}

/// Writes down that the state of something is read, if it belongs to the audit trail.
pub(crate) async fn look_at_stream(context: &Context<'_>, state: &ApiState, stream: &StreamKey) -> Result<()> {
    if !is_audited(&stream.category) {
        return Ok(());
    }
    look(context, state, "state", Some(stream.to_string())).await
}

/// Whether an event of the audit trail may pass a filter. What names only other things is not the audit trail.
fn may_show_audit_trail(filter: &Filter) -> bool {
    if let Some(stream) = &filter.stream {
        return is_audited(&stream.category);
    }
    let named = |category: &str| filter.categories.is_empty() || filter.categories.iter().any(|it| **it == *category);
    let asked =
        |event_type: &str| filter.event_types.is_empty() || filter.event_types.iter().any(|it| **it == *event_type);
    AUDITED.iter().any(|(category, types)| named(category) && types.iter().any(|(event_type, _)| asked(event_type)))
}

#[cfg(test)]
mod tests {
    use timeloom_domain::ids::TenantId;

    use super::*;

    fn filter(categories: &[&str], types: &[&str]) -> Filter {
        let texts = |texts: &[&str]| texts.iter().map(|text| Arc::from(*text)).collect();
        Filter { categories: texts(categories), event_types: texts(types), ..Filter::default() }
    }

    #[test]
    fn what_may_show_the_audit_trail_is_known_from_the_filter() {
        let whole = filter(&[], &[]);
        assert!(may_show_audit_trail(&whole));
        assert!(may_show_audit_trail(&filter(&["execution", "session"], &[])));
        assert!(may_show_audit_trail(&filter(&[], &["NodeCompleted", "RoleGranted"])));
        assert!(!may_show_audit_trail(&filter(&["execution", "orders"], &[])));
        assert!(!may_show_audit_trail(&filter(&[], &["NodeCompleted"])));
        assert!(!may_show_audit_trail(&filter(&["account"], &["SessionEnded"])), "no account has such an event");
        let of = |category: &str| Filter { stream: Some(StreamKey::new(TenantId(0), category, "x")), ..whole.clone() };
        assert!(may_show_audit_trail(&of("credential")) && !may_show_audit_trail(&of("workflow")));
    }
}
