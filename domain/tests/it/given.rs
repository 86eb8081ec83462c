//! Given events, when a command, then events or a refusal.

use std::fmt::Debug;

use timeloom_domain::event::Aggregate;

/// An aggregate to which these events happened.
pub(crate) fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let mut state = A::default();
    events.into_iter().for_each(|event| state.apply(&event));
    Given { state }
}

/// An aggregate with a history.
pub(crate) struct Given<A> {
    pub(crate) state: A,
}

impl<A: Aggregate> Given<A>
where
    A::Event: Debug + PartialEq,
    A::Refusal: Debug + PartialEq,
{
    /// Sends a command.
    pub(crate) fn when(self, command: A::Command) -> Decision<A> {
        Decision { answer: self.state.decide(&command) }
    }
}

/// What an aggregate answered.
pub(crate) struct Decision<A: Aggregate> {
    answer: Result<Vec<A::Event>, A::Refusal>,
}

impl<A: Aggregate> Decision<A>
where
    A::Event: Debug + PartialEq,
    A::Refusal: Debug + PartialEq,
{
    /// It answered with exactly these events.
    #[track_caller]
    pub(crate) fn then(self, events: impl IntoIterator<Item = A::Event>) {
        assert_eq!(self.answer, Ok(events.into_iter().collect()));
    }

    /// The command had happened already.
    #[track_caller]
    pub(crate) fn changes_nothing(self) {
        self.then([]);
    }

    /// It refused in such a way.
    #[track_caller]
    pub(crate) fn refuses_with(self, is_such: impl Fn(&A::Refusal) -> bool, about: &str) {
        assert!(self.answer.as_ref().is_err_and(is_such), "{about}: {:?}", self.answer);
    }

    /// It refused.
    #[track_caller]
    pub(crate) fn refused(self, refusal: A::Refusal) {
        assert_eq!(self.answer, Err(refusal));
    }
}
