//! APIs for tests: one that answers what it is told to, and one that never answers.

use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::api::{Api, Question, Unreachable};

/// Answers in order, and remembers what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Canned {
    answers: Mutex<Vec<Value>>,
    pub asked: Mutex<Vec<Question>>,
}

impl Canned {
    /// Gives these `data`, the first one first.
    pub fn of(answers: impl IntoIterator<Item = Value>) -> Self {
        let mut answers: Vec<Value> = answers.into_iter().map(|data| json!({ "data": data })).collect();
        answers.reverse();
        Self { answers: Mutex::new(answers), asked: Mutex::default() }
    }

    /// Refuses.
    pub fn refusing(code: &str, message: &str) -> Self {
        let errors = json!({ "data": null, "errors": [{ "message": message, "extensions": { "code": code } }] });
        Self { answers: Mutex::new(vec![errors]), asked: Mutex::default() }
    }
}

#[async_trait]
impl Api for Canned {
    async fn ask(&self, question: Question) -> Result<Value, Unreachable> {
        self.asked.lock().unwrap().push(question);
        self.answers.lock().unwrap().pop().ok_or_else(|| Unreachable("nothing is left to say".to_owned()))
    }
}

/// Never answers.
pub(crate) struct Hanging;

#[async_trait]
impl Api for Hanging {
    async fn ask(&self, _: Question) -> Result<Value, Unreachable> {
        std::future::pending().await
    }
}
