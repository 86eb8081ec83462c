//! Commands on sets of cases, and the cases themselves: they are read from the event of a version.

use std::collections::HashSet;

use timeloom_domain::access::Permission;
use timeloom_domain::evaluation_set::{
    CASE_ID_CHARACTERS_MAX, EvaluationCase, EvaluationSet, EvaluationSetCommand, EvaluationSetEvent,
    EvaluationSetRefusal, numbered, numbered_behind,
};
use timeloom_domain::ids::Slug;
use timeloom_domain::subject;
use timeloom_store::subjects::is_erased;
use timeloom_store::{Direction, Revision, codec};

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// A set to make, with its first version.
#[derive(Debug, Clone)]
pub struct CreateEvaluationSet {
    /// Its name.
    pub name: Slug,
    /// What it is for.
    pub description: String,
    /// The cases of its first version; one without an id gets its place.
    pub cases: Vec<EvaluationCase>,
    /// Whom they are about.
    pub subject: Option<String>,
}

/// A version to add to a set.
#[derive(Debug, Clone)]
pub struct AddEvaluationSetVersion {
    /// The set.
    pub name: Slug,
    /// The newest version that whoever asks knows of; `None` takes the set as it is.
    pub after: Option<u32>,
    /// Whether the cases of the newest version come before these.
    pub keeps: bool,
    /// Ids of cases of the newest version that are not kept.
    pub without: Vec<String>,
    /// The cases of the version; one without an id gets its place.
    pub cases: Vec<EvaluationCase>,
    /// Whom they are about.
    pub subject: Option<String>,
}

/// Events of a set that are read at a time: each may be large.
const PAGE_EVENTS: usize = 8;

impl Commands {
    /// Makes a set of cases.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn create_evaluation_set(
        &self,
        context: &CommandContext,
        create: CreateEvaluationSet,
    ) -> Result<Outcome<Slug>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        let CreateEvaluationSet { name, description, cases, subject } = create;
        check_subject(subject.as_deref())?;
        let at_ms = self.clock().now_ms();
        let stream = self.stream::<EvaluationSetEvent>(context, name.as_str());
        let cases = numbered(cases);
        let command = EvaluationSetCommand::Create { name: name.clone(), description, cases, subject, at_ms };
        Ok(self.execute::<EvaluationSet>(context, stream, command, Base::Current).await?.with(name))
    }

    /// Adds a version to a set of cases.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn add_evaluation_set_version(
        &self,
        context: &CommandContext,
        add: AddEvaluationSetVersion,
    ) -> Result<Outcome<Slug>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        check_subject(add.subject.as_deref())?;
        if !add.keeps {
            if !add.without.is_empty() {
                let message =
                    "cases are left out of those that are kept: say 'keep' as well, or name none to leave out";
                return Err(Refusal::new("NOTHING_KEPT", message).into());
            }
            return self.add_cases(context, add).await;
        }
        let name = add.name.clone();
        match self.kept_and(context, add).await {
            // What is kept is more by now, if the command was carried out before: its answer stays the same.
            Err(refused @ CommandError::Refused(_)) => self.added_before(context, name).await?.ok_or(refused),
            added => added,
        }
    }

    /// Adds a version that keeps what the newest one has.
    async fn kept_and(
        &self,
        context: &CommandContext,
        add: AddEvaluationSetVersion,
    ) -> Result<Outcome<Slug>, CommandError> {
        let newest = self.newest_set_version(context, &add.name).await?;
        let (cases, kept) = self.evaluation_cases(context, &add.name, newest).await?;
        if kept.is_some() && add.subject.is_some() && kept != add.subject {
            let message = "the cases that are kept are about somebody else: make a set of its own for each";
            return Err(Refusal::new("SUBJECT_DIFFERS", message).into());
        }
        let cases = numbered_behind(left(cases, &add.without)?, add.cases);
        // Nobody adds one between: another version would be the newest then.
        let (after, subject, without) = (add.after.or(Some(newest)), add.subject.or(kept), Vec::new());
        self.add_cases(context, AddEvaluationSetVersion { after, cases, subject, without, ..add }).await
    }

    async fn add_cases(
        &self,
        context: &CommandContext,
        add: AddEvaluationSetVersion,
    ) -> Result<Outcome<Slug>, CommandError> {
        let AddEvaluationSetVersion { name, after, cases, subject, .. } = add;
        let (cases, at_ms) = (numbered(cases), self.clock().now_ms());
        let stream = self.stream::<EvaluationSetEvent>(context, name.as_str());
        let command = EvaluationSetCommand::AddVersion { after, cases, subject, at_ms };
        Ok(self.execute::<EvaluationSet>(context, stream, command, Base::Current).await?.with(name))
    }

    /// What this very command came to, if it added a version before.
    async fn added_before(&self, context: &CommandContext, name: Slug) -> Result<Option<Outcome<Slug>>, CommandError> {
        let stream = self.stream::<EvaluationSetEvent>(context, name.as_str());
        let mut after = Revision(0);
        loop {
            let page = self.inner.log.read_stream(&stream, after, Direction::Forward, PAGE_EVENTS).await?;
            let Some(last) = page.last() else { return Ok(None) };
            after = last.revision;
            if let Some(own) = page.iter().find(|event| event.metadata.command_id == context.command_id) {
                let (position, revision) = (own.position, own.revision);
                return Ok(Some(Outcome { value: name, position, revision, repeated: true }));
            }
        }
    }

    /// The newest version of a set.
    ///
    /// # Errors
    /// A refusal when there is no such set, or a fault.
    pub async fn newest_set_version(&self, context: &CommandContext, name: &Slug) -> Result<u32, CommandError> {
        context.require(Permission::ExecutionRead)?;
        let state = self.load::<EvaluationSet>(&self.stream::<EvaluationSetEvent>(context, name.as_str())).await?;
        match state.aggregate.newest() {
            0 => Err(Refusal::from(EvaluationSetRefusal::NotFound).into()),
            newest => Ok(newest),
        }
    }

    /// The cases of a version of a set, in their order, and whom they are about.
    ///
    /// # Errors
    /// A refusal when there is no such set or version, or its cases were erased; or a fault.
    pub async fn evaluation_cases(
        &self,
        context: &CommandContext,
        name: &Slug,
        version: u32,
    ) -> Result<(Vec<EvaluationCase>, Option<String>), CommandError> {
        context.require(Permission::ExecutionRead)?;
        let stream = self.stream::<EvaluationSetEvent>(context, name.as_str());
        let state = self.load::<EvaluationSet>(&stream).await?;
        let revision = Revision(state.aggregate.version(version).map_err(Refusal::from)?.revision);
        let found = self.inner.log.read_stream(&stream, revision, Direction::Backward, 1).await?;
        let Some(event) = found.first() else { return Err(Refusal::from(EvaluationSetRefusal::NotFound).into()) };
        if is_erased(&event.payload) {
            let message = format!("the cases of {name}@{version} were erased: use another version");
            return Err(Refusal::new("EVALUATION_SET_ERASED", message).into());
        }
        match codec::decode::<EvaluationSetEvent>(event)? {
            EvaluationSetEvent::EvaluationSetVersionAdded { cases, subject, .. } => Ok((cases, subject)),
            EvaluationSetEvent::EvaluationSetCreated { .. } => {
                Err(Refusal::from(EvaluationSetRefusal::NotFound).into())
            }
        }
    }
}

/// What is left of cases without those of these ids.
fn left(mut cases: Vec<EvaluationCase>, without: &[String]) -> Result<Vec<EvaluationCase>, Refusal> {
    let known: HashSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    if let Some(unknown) = without.iter().find(|id| !known.contains(id.as_str())) {
        let unknown: String = unknown.chars().take(CASE_ID_CHARACTERS_MAX).collect();
        let message = format!("the newest version has no case '{unknown}': look at its cases again");
        return Err(Refusal::new("UNKNOWN_CASE", message));
    }
    let without: HashSet<&str> = without.iter().map(String::as_str).collect();
    cases.retain(|case| !without.contains(case.id.as_str()));
    Ok(cases)
}

fn check_subject(subject: Option<&str>) -> Result<(), Refusal> {
    subject.map_or(Ok(()), subject::check_name).map_err(Refusal::from)
}
