//! Wait: holds the execution up for a while, until a time, or until a request or a form makes it go on.
//!
//! The wait itself is the engine's: an event tells of it, so that it lasts through restarts, however long it is.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;
use timeloom_domain::catalogue::{
    Choice, Condition, CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition,
};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::execution::{ResumeKind, ResumeRule};
use timeloom_domain::form::Form;
use timeloom_engine::node::{Behaviour, NodeError, NodeRun, NodeType, NodeWait, WaitNode};
use timeloom_expressions::time;

use crate::describe::{ONE_TO_ONE, collection, date_time, is, needs, number, options, palette, text, told, words};
use crate::form::parameters::{
    BUTTON, DESCRIPTION, ENDING, FORM_FIELDS, LIMIT_AMOUNT, LIMIT_MOMENT, LIMIT_TYPE, LIMIT_UNIT, LIMIT_WAIT, STYLE,
    TITLE, UNITS,
};
use crate::form::{asked, ending_of};
use crate::values::has_expression;
use crate::webhook::parameters as webhook;

/// Longest wait for a length of time, in milliseconds: a hundred years.
const WAIT_MAX_MS: f64 = 100.0 * 365.25 * 86_400_000.0;

const RESUME: &[Choice] = &[
    told("timeInterval", "After time interval", "When so much time is gone."),
    told("specificTime", "At specified time", "At a date and time."),
    told("webhook", "On webhook call", "When a request comes."),
    told("form", "On form submitted", "When a person sends a form."),
];
const TIMED: &[Condition] = &[is("resume", &["timeInterval"])];
const CALLED: &[Condition] = &[is("resume", &["webhook"])];
const ASKED: &[Condition] = &[is("resume", &["form"])];

const AMOUNT: ParameterDefinition =
    number("amount", "How long to wait, in the unit.").called("Wait amount").when(TIMED);
const UNIT: ParameterDefinition = options("unit", UNITS, "Unit of the amount.").called("Wait unit").when(TIMED);

const PARAMETERS: &[ParameterDefinition] = &[
    options("resume", RESUME, "What ends the wait.").or_text("timeInterval"),
    AMOUNT.or_number(1.0).until(1.0),
    AMOUNT.or_number(5.0).since(1.1),
    UNIT.or_text("hours").until(1.0),
    UNIT.or_text("seconds").since(1.1),
    date_time("dateTime", "Until when to wait, in the workflow's time zone.")
        .called("Date and time")
        .when(&[is("resume", &["specificTime"])]),
    webhook::authentication("incomingAuthentication").when(&[is("resume", &["webhook", "form"])]),
    webhook::method("httpMethod", "Method of the request that ends the wait.").when(CALLED),
    TITLE.when(ASKED),
    DESCRIPTION.when(ASKED),
    FORM_FIELDS.when(ASKED),
    webhook::MODE.when(&[is("resume", &["webhook", "form"])]),
    webhook::STATUS.when(&[is("responseMode", &["onReceived", "lastNode"]), is("resume", &["webhook"])]),
    webhook::DATA.when(&[is("responseMode", &["lastNode"]), is("resume", &["webhook"])]),
    webhook::DATA_ATTACHMENT,
    LIMIT_WAIT.when(&[is("resume", &["webhook", "form"])]),
    LIMIT_TYPE,
    LIMIT_AMOUNT,
    LIMIT_UNIT,
    LIMIT_MOMENT,
    collection("options", webhook::RESUME_OPTIONS, "What else to decide.").when(CALLED),
    collection(
        "options",
        &[
            BUTTON,
            STYLE,
            ENDING,
            text("webhookSuffix", "Last part of the address, which tells waits from each other.").or_text(""),
        ],
        "What else to decide.",
    )
    .when(ASKED),
];

const CREDENTIALS: &[CredentialDefinition] = &[
    needs("httpBasicAuth", &[is("incomingAuthentication", &["basicAuth"])]),
    needs("httpHeaderAuth", &[is("incomingAuthentication", &["headerAuth"])]),
    needs("jwtAuth", &[is("incomingAuthentication", &["jwtAuth"])]),
];

/// Wait.
pub(crate) struct Wait;

impl NodeType for Wait {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.wait",
            display_name: "Wait",
            description: "Holds the execution up for a while, until a time, or until a request or a form makes it go on.",
            versions: &[1.0, 1.1],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Flow, "hourglass", &["delay", "sleep", "pause", "approval", "human"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let is_form = node.parameters.get("resume").is_some_and(|resume| resume == "form");
        // What depends on the run is looked at in the run.
        if !is_form || has_expression(&node.parameters) {
            return Vec::new();
        }
        let fields = Form::read(&node.parameters).err();
        let fields = fields.map(|error| Problem::of_parameter(node, "formFields", error.to_string()));
        let ending = ending_of(node.parameters.get("options").unwrap_or(&Value::Null)).err();
        let ending = ending.map(|message| Problem::of_parameter(node, "options.respondWithOptions", message));
        fields.into_iter().chain(ending).collect()
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Wait(self)
    }
}

impl WaitNode for Wait {
    fn wait(&self, run: &mut NodeRun<'_>) -> Result<Option<NodeWait>, NodeError> {
        let now_ms = run.scope.now_ms;
        match run.text("resume", 0, "timeInterval")?.as_str() {
            "timeInterval" => {
                let (amount, unit) = if run.version() < 1.1 { (1.0, "hours") } else { (5.0, "seconds") };
                let until_ms = after(run, "amount", amount, ("unit", unit), now_ms)?;
                Ok(Some(NodeWait { until_ms: Some(until_ms), resume: None }))
            }
            "specificTime" => {
                let until_ms = at(run, "dateTime")?;
                Ok(Some(NodeWait { until_ms: Some(until_ms), resume: None }))
            }
            "webhook" => {
                let method = run.text("httpMethod", 0, "GET")?.to_uppercase();
                Ok(Some(NodeWait { until_ms: limit(run, now_ms)?, resume: Some(rule(run, Some(method))?) }))
            }
            "form" => {
                let mut rule = rule(run, None)?;
                rule.form = Some(Box::new(asked(run)?));
                Ok(Some(NodeWait { until_ms: limit(run, now_ms)?, resume: Some(rule) }))
            }
            other => {
                Err(NodeError::operation(format!("'{other}' is not a way to resume: use one of {}", words(RESUME))))
            }
        }
    }
}

fn rule(run: &mut NodeRun<'_>, method: Option<String>) -> Result<ResumeRule, NodeError> {
    let suffix = run.text("options.webhookSuffix", 0, "")?;
    let suffix = suffix.trim_matches('/');
    Ok(ResumeRule {
        kind: if method.is_some() { ResumeKind::Webhook } else { ResumeKind::Form },
        method,
        suffix: (!suffix.is_empty()).then(|| suffix.to_owned()),
        form: None,
    })
}

/// When a wait for a request or form ends by itself.
pub(crate) fn limit(run: &mut NodeRun<'_>, now_ms: i64) -> Result<Option<i64>, NodeError> {
    if !run.boolean("limitWaitTime", 0, false)? {
        return Ok(None);
    }
    match run.text("limitType", 0, "afterTimeInterval")?.as_str() {
        "atSpecifiedTime" => at(run, "maxDateAndTime").map(Some),
        _ => after(run, "resumeAmount", 1.0, ("resumeUnit", "hours"), now_ms).map(Some),
    }
}

fn after(
    run: &mut NodeRun<'_>,
    amount: &str,
    amount_default: f64,
    (unit, unit_default): (&str, &str),
    now_ms: i64,
) -> Result<i64, NodeError> {
    let given = match run.parameter(amount, 0)? {
        None | Some(Value::Null) => amount_default,
        Some(Value::Number(number)) => number.as_f64().unwrap_or(f64::NAN),
        Some(Value::String(text)) => text.trim().parse().unwrap_or(f64::NAN),
        Some(_) => f64::NAN,
    };
    let unit = run.text(unit, 0, unit_default)?;
    let unit_ms = match unit.as_str() {
        "seconds" => 1_000.0,
        "minutes" => 60_000.0,
        "hours" => 3_600_000.0,
        "days" => 86_400_000.0,
        other => return Err(NodeError::operation(format!("'{other}' is not a unit: use one of {}", words(UNITS)))),
    };
    let wait_ms = given * unit_ms;
    if !(0.0..=WAIT_MAX_MS).contains(&wait_ms) {
        return Err(NodeError::operation("the wait amount must be a number of 0 or more, and at most a hundred years"));
    }
    Ok(now_ms.saturating_add(wait_ms as i64))
}

fn at(run: &mut NodeRun<'_>, name: &str) -> Result<i64, NodeError> {
    let value = run.parameter(name, 0)?.unwrap_or(Value::Null);
    let moment: Option<DateTime<Tz>> = time::parse(&value, run.scope.timezone);
    let moment = moment.ok_or_else(|| {
        NodeError::operation(format!("'{name}' is not a date and time: write it as 2030-01-31T08:00:00"))
    })?;
    Ok(moment.with_timezone(&Utc).timestamp_millis())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    /// The time of the bench: 2024-05-17T12:30:45.678Z.
    const NOW_MS: i64 = 1_715_949_045_678;

    fn wait(version: f64, parameters: Value) -> Result<Option<NodeWait>, NodeError> {
        Bench::new(&Wait, version, parameters).input(json!([{"minutes": 2}])).wait()
    }

    fn until(version: f64, parameters: Value) -> i64 {
        wait(version, parameters).unwrap().unwrap().until_ms.unwrap()
    }

    #[test]
    fn an_interval_counts_from_now_in_its_unit_and_version() {
        assert_eq!(until(1.1, json!({})), NOW_MS + 5_000);
        assert_eq!(until(1.0, json!({})), NOW_MS + 3_600_000);
        assert_eq!(until(1.1, json!({"amount": "={{ $json.minutes }}", "unit": "minutes"})), NOW_MS + 120_000);
        assert_eq!(until(1.1, json!({"amount": 1.5, "unit": "days"})), NOW_MS + 129_600_000);
    }

    #[test]
    fn a_time_is_read_in_the_workflows_zone() {
        let at = json!({"resume": "specificTime", "dateTime": "2030-01-31T08:00:00Z"});
        assert_eq!(until(1.1, at), 1_896_076_800_000);
    }

    #[test]
    fn a_request_ends_the_wait_and_so_does_its_limit() {
        let given = wait(1.1, json!({"resume": "webhook", "httpMethod": "post", "options": {"webhookSuffix": "/ok/"}}));
        let resume = ResumeRule {
            kind: ResumeKind::Webhook,
            method: Some("POST".into()),
            suffix: Some("ok".into()),
            form: None,
        };
        assert_eq!(given.unwrap(), Some(NodeWait { until_ms: None, resume: Some(resume) }));
        let limited = json!({"resume": "webhook", "limitWaitTime": true, "resumeAmount": 3, "resumeUnit": "minutes"});
        let given = wait(1.1, limited).unwrap().unwrap();
        assert_eq!((given.until_ms, given.resume.unwrap().suffix), (Some(NOW_MS + 180_000), None));
    }

    #[test]
    fn a_form_ends_the_wait_and_one_that_cannot_be_shown_keeps_a_workflow_from_being_active() {
        let asks = |kind: &str| {
            let fields = json!({"values": [{"fieldLabel": "Approved", "fieldType": kind}]});
            json!({"resume": "form", "formTitle": "Approve", "formFields": fields, "options": {"webhookSuffix": "ok"}})
        };
        let rule = wait(1.1, asks("text")).unwrap().unwrap().resume.unwrap();
        assert_eq!((rule.kind, rule.method, rule.suffix.as_deref()), (ResumeKind::Form, None, Some("ok")));
        assert_eq!(rule.form.unwrap().fields[0].label, "Approved");
        let problems = |parameters: Value| Wait.problems(&Bench::new(&Wait, 1.1, parameters).node);
        assert_eq!(problems(asks("palm"))[0].field, "parameters.formFields");
        let away = json!({"respondWithOptions": {"values": {"respondWith": "redirect", "redirectUrl": "data:,x"}}});
        let away = problems(json!({"resume": "form", "options": away}));
        assert_eq!(away[0].field, "parameters.options.respondWithOptions");
        assert!(problems(asks("text")).is_empty() && problems(json!({"resume": "webhook"})).is_empty());
    }

    #[test]
    fn what_is_no_wait_is_refused_in_words() {
        for (parameters, says) in [
            (json!({"amount": -1}), "the wait amount must be a number of 0 or more"),
            (json!({"amount": "soon"}), "the wait amount must be a number of 0 or more"),
            (json!({"unit": "moons"}), "'moons' is not a unit"),
            (json!({"resume": "specificTime", "dateTime": "tomorrowish"}), "'dateTime' is not a date and time"),
            (json!({"resume": "luck"}), "'luck' is not a way to resume"),
        ] {
            let message = wait(1.1, parameters).unwrap_err().message;
            assert!(message.starts_with(says), "{message}");
        }
    }
}
