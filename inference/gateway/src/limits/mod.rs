//! Limits of what keys, tenants, workflows and agents may ask for: requests and tokens a minute, calls at once, money in a
//! window.
//!
//! What a call may take is reserved before it begins and settled when it is known, under one lock and all its limits at
//! once: calls that run at the same time never take together more than a limit. Where a provider takes more than was
//! reserved, it is charged all the same and later calls wait for it.

mod account;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_domain::money::Money;

use self::account::Account;

/// Most limits.
pub const LIMITS_MAX: usize = 10_000;
/// Most holders that are counted at once.
pub const ACCOUNTS_MAX: usize = 200_000;
/// Longest window of a budget: 366 days, in milliseconds.
pub const WINDOW_MS_MAX: i64 = 366 * 24 * 60 * 60 * 1000;

/// What kind of holder a limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HolderKind {
    /// A key of the API.
    Key,
    /// A tenant.
    Tenant,
    /// A workflow.
    Workflow,
    /// An agent.
    Agent,
}

impl fmt::Display for HolderKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Key => "key",
            Self::Tenant => "tenant",
            Self::Workflow => "workflow",
            Self::Agent => "agent",
        })
    }
}

/// For whom something is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// What kind.
    pub kind: HolderKind,
    /// Which one.
    pub id: String,
}

impl Holder {
    /// That one of that kind.
    pub fn new(kind: HolderKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

/// A limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// For which kind of holder.
    pub kind: HolderKind,
    /// For which one; each of that kind by itself where nothing is said.
    pub id: Option<String>,
    /// Of what.
    pub most: Most,
}

/// How much of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    /// Requests in any 60 seconds.
    RequestsPerMinute(u64),
    /// Tokens in any 60 seconds, read and written.
    TokensPerMinute(u64),
    /// Calls at once.
    CallsAtOnce(u64),
    /// Money in each window.
    Money {
        /// How much.
        amount: Money,
        /// How long a window is, in milliseconds; windows are counted from 1970.
        window_ms: i64,
    },
}

impl Most {
    fn what(self) -> &'static str {
        match self {
            Self::RequestsPerMinute(_) => "requests a minute",
            Self::TokensPerMinute(_) => "tokens a minute",
            Self::CallsAtOnce(_) => "calls at once",
            Self::Money { .. } => "money",
        }
    }

    fn amount(self) -> u64 {
        match self {
            Self::RequestsPerMinute(amount) | Self::TokensPerMinute(amount) | Self::CallsAtOnce(amount) => amount,
            Self::Money { amount, .. } => amount.0,
        }
    }
}

/// What a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Tokens, read and written.
    pub tokens: u64,
    /// Money, if the price is known.
    pub money: Option<Money>,
}

/// How much is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Of what.
    pub what: &'static str,
    /// How much there may be.
    pub most: u64,
    /// How much is left.
    pub left: u64,
    /// After how many milliseconds all of it is there again, if nothing more is taken.
    pub reset_ms: u64,
}

/// What is taken of one limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// By whom: of many holders, the one that took most. Absent where nobody took anything.
    pub by: Option<String>,
    /// How much, in tokens, requests, calls, or billionths of the currency.
    pub used: u64,
    /// How much is left.
    pub left: u64,
    /// When nothing of it counts any more, if nothing more is taken, in milliseconds since 1970; absent where nothing is taken,
    /// and of calls at once, of which nobody knows when they end.
    pub resets_at_ms: Option<i64>,
}

/// A limit holds a call back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    /// For now.
    #[error("the {} '{}' has reached its limit of {what}: ask again in {retry_after_ms} ms", holder.kind, holder.id)]
    Wait {
        /// Whose limit.
        holder: Holder,
        /// Of what.
        what: &'static str,
        /// After how many milliseconds there is room, as far as it is known now.
        retry_after_ms: u64,
    },
    /// For ever: the call alone is more than the limit.
    #[error(
        "this call may take {wanted}, and the {} '{}' has a limit of {most} ({what}): ask for less, or for a higher limit",
        holder.kind,
        holder.id
    )]
    TooMuch {
        /// Whose limit.
        holder: Holder,
        /// Of what.
        what: &'static str,
        /// What the call may take.
        wanted: u64,
        /// What the limit is.
        most: u64,
    },
    /// There is a budget, and nobody knows what the call will cost.
    #[error("the {} '{}' has a budget, and a model of this route has no price: give it one", holder.kind, holder.id)]
    NoPrice {
        /// Whose budget.
        holder: Holder,
    },
    /// More holders are active than can be counted.
    #[error("more than {ACCOUNTS_MAX} keys, tenants, workflows and agents are active: ask again in a minute")]
    TooManyHolders,
}

impl LimitReached {
    /// After how many milliseconds there is room, if there ever is.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Wait { retry_after_ms, .. } => Some(*retry_after_ms),
            Self::TooManyHolders => Some(60_000),
            Self::TooMuch { .. } | Self::NoPrice { .. } => None,
        }
    }
}

/// Why limits are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// There are too many.
    #[error("there are {0} limits: {LIMITS_MAX} is the most")]
    TooMany(usize),
    /// A window is none.
    #[error("a window of {0} ms is none: it is longer than 0 and at most 366 days")]
    Window(i64),
}

/// Keeps all limits.
#[derive(Debug, Default)]
pub struct Limits(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Limits by whom they are for.
    limits: HashMap<(HolderKind, Option<String>), Vec<Most>>,
    accounts: HashMap<AccountKey, Account>,
}

/// What is counted: for whom, and for limits of which form. Limits of another size go on with the same count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AccountKey {
    holder: Holder,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Requests,
    Tokens,
    Calls,
    Money(i64),
}

impl Form {
    fn of(most: Most) -> Self {
        match most {
            Most::RequestsPerMinute(_) => Self::Requests,
            Most::TokensPerMinute(_) => Self::Tokens,
            Most::CallsAtOnce(_) => Self::Calls,
            Most::Money { window_ms, .. } => Self::Money(window_ms),
        }
    }

    fn amount(self, want: Want) -> Option<u64> {
        match self {
            Self::Requests | Self::Calls => Some(1),
            Self::Tokens => Some(want.tokens),
            Self::Money(_) => want.money.map(|money| money.0),
        }
    }
}

impl Limits {
    /// Limits, of which nothing is taken yet.
    ///
    /// # Errors
    /// [`InvalidLimit`]
    pub fn try_new(limits: Vec<Limit>) -> Result<Arc<Self>, InvalidLimit> {
        let new = Self::default();
        new.replace(limits)?;
        Ok(Arc::new(new))
    }

    /// Sets other limits. What was taken stays taken.
    ///
    /// # Errors
    /// [`InvalidLimit`]
    pub fn replace(&self, limits: Vec<Limit>) -> Result<(), InvalidLimit> {
        if limits.len() > LIMITS_MAX {
            return Err(InvalidLimit::TooMany(limits.len()));
        }
        for limit in &limits {
            if let Most::Money { window_ms, .. } = limit.most
                && !(1..=WINDOW_MS_MAX).contains(&window_ms)
            {
                return Err(InvalidLimit::Window(window_ms));
            }
        }
        let mut by_holder: HashMap<_, Vec<Most>> = HashMap::new();
        for Limit { kind, id, most } in limits {
            by_holder.entry((kind, id)).or_default().push(most);
        }
        self.state().limits = by_holder;
        Ok(())
    }

    /// Reserves what a call may take, for all its holders or for none.
    ///
    /// # Errors
    /// [`LimitReached`] says which limit, and when there is room.
    pub fn reserve(self: &Arc<Self>, holders: &[Holder], want: Want, now_ms: i64) -> Result<Reservation, LimitReached> {
        let mut state = self.state();
        let mut wanted: Vec<(AccountKey, u64)> = Vec::new();
        let mut refused: Option<LimitReached> = None;
        for (holder, most) in state.concerned(holders) {
            let form = Form::of(most);
            let Some(amount) = form.amount(want) else { return Err(LimitReached::NoPrice { holder }) };
            if amount > most.amount() {
                return Err(LimitReached::TooMuch { holder, what: most.what(), wanted: amount, most: most.amount() });
            }
            let key = AccountKey { holder, form };
            let account = state.accounts.get_mut(&key);
            let wait_ms = account.and_then(|account| account.wait_ms(most.amount(), amount, now_ms));
            if let Some(retry_after_ms) = wait_ms {
                let longer =
                    refused.as_ref().and_then(LimitReached::retry_after_ms).is_none_or(|known| known < retry_after_ms);
                if longer {
                    refused =
                        Some(LimitReached::Wait { holder: key.holder.clone(), what: most.what(), retry_after_ms });
                }
            }
            if !wanted.iter().any(|(known, _)| *known == key) {
                wanted.push((key, amount));
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        state.make_room(wanted.len(), now_ms)?;
        for (key, amount) in &wanted {
            state.accounts.entry(key.clone()).or_insert_with(|| Account::new(key.form)).add(*amount, now_ms);
        }
        Ok(Reservation { limits: Arc::clone(self), taken: wanted, at_ms: now_ms })
    }

    /// Charges what was taken before this process began, as it was recorded.
    pub fn charge(&self, holders: &[Holder], took: Want, at_ms: i64, now_ms: i64) {
        let mut state = self.state();
        for (holder, most) in state.concerned(holders) {
            let form = Form::of(most);
            let amount = form.amount(took).filter(|_| form != Form::Calls);
            if let Some(amount) = amount
                && state.make_room(1, now_ms).is_ok()
            {
                let key = AccountKey { holder, form };
                state.accounts.entry(key).or_insert_with(|| Account::new(form)).add(amount, at_ms);
            }
        }
    }

    /// How much is left of the limits of these holders; of those of the same form, the one of which least is left.
    pub fn standing(&self, holders: &[Holder], now_ms: i64) -> Vec<Standing> {
        let mut state = self.state();
        let mut standings: Vec<Standing> = Vec::new();
        for (holder, most) in state.concerned(holders) {
            let form = Form::of(most);
            let account = state.accounts.get_mut(&AccountKey { holder, form });
            let (taken, reset_ms) = account.map_or((0, 0), |account| account.standing(now_ms));
            let left = most.amount().saturating_sub(taken);
            let standing = Standing { what: most.what(), most: most.amount(), left, reset_ms };
            match standings.iter_mut().find(|known| known.what == standing.what) {
                Some(known) if known.left > left => *known = standing,
                Some(_) => {}
                None => standings.push(standing),
            }
        }
        standings
    }

    /// What is taken of each of these limits now, in their order. Of those that are for each holder by itself, what the one took
    /// that took most.
    pub fn taken(&self, limits: &[Limit], now_ms: i64) -> Vec<Taken> {
        let mut state = self.state();
        let is_for_each = limits.iter().any(|limit| limit.id.is_none());
        let most = if is_for_each { state.busiest(now_ms) } else { HashMap::new() };
        let mut of = |limit: &Limit| {
            let form = Form::of(limit.most);
            let holder = match &limit.id {
                Some(id) => Some(Holder::new(limit.kind, id)),
                None => most.get(&(limit.kind, form)).cloned(),
            };
            let Some(holder) = holder else { return Taken { left: limit.most.amount(), ..Taken::default() } };
            let by = holder.id.clone();
            let account = state.accounts.get_mut(&AccountKey { holder, form });
            let (used, reset_ms) = account.map_or((0, 0), |account| account.standing(now_ms));
            let resets_at_ms = i64::try_from(reset_ms).ok().filter(|reset_ms| *reset_ms > 0 && used > 0);
            Taken {
                by: (used > 0).then_some(by),
                used,
                left: limit.most.amount().saturating_sub(used),
                resets_at_ms: resets_at_ms.map(|reset_ms| now_ms.saturating_add(reset_ms)),
            }
        };
        limits.iter().map(&mut of).collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn concerned(&self, holders: &[Holder]) -> Vec<(Holder, Most)> {
        let mut concerned = Vec::new();
        for holder in holders {
            let all = self.limits.get(&(holder.kind, None));
            let one = self.limits.get(&(holder.kind, Some(holder.id.clone())));
            concerned.extend(all.into_iter().chain(one).flatten().map(|most| (holder.clone(), *most)));
        }
        concerned
    }

    /// Of each kind of holder and form of limit, the holder that took most; of several, the one whose id comes first.
    fn busiest(&mut self, now_ms: i64) -> HashMap<(HolderKind, Form), Holder> {
        let mut busiest: HashMap<(HolderKind, Form), (u64, &Holder)> = HashMap::new();
        for (AccountKey { holder, form }, account) in &mut self.accounts {
            let (used, _) = account.standing(now_ms);
            let known = busiest.entry((holder.kind, *form)).or_insert((used, holder));
            if (used, &known.1.id) > (known.0, &holder.id) {
                *known = (used, holder);
            }
        }
        busiest.into_iter().map(|(of, (_, holder))| (of, holder.clone())).collect()
    }

    fn make_room(&mut self, wanted: usize, now_ms: i64) -> Result<(), LimitReached> {
        if self.accounts.len() + wanted > ACCOUNTS_MAX {
            self.accounts.retain(|_, account| !account.is_empty(now_ms));
        }
        if self.accounts.len() + wanted > ACCOUNTS_MAX { Err(LimitReached::TooManyHolders) } else { Ok(()) }
    }
}

/// What a call may take, kept for it. Whoever drops it without having settled it leaves all of it taken, but for its place
/// among the calls at once.
#[derive(Debug)]
pub struct Reservation {
    limits: Arc<Limits>,
    taken: Vec<(AccountKey, u64)>,
    at_ms: i64,
}

impl Reservation {
    /// Puts what was taken in the place of what was reserved. Its place among the calls at once is free again.
    pub fn settle(self, took: Want, now_ms: i64) {
        let mut state = self.limits.state();
        for (key, reserved) in &self.taken {
            let took = match key.form {
                Form::Requests | Form::Calls => *reserved,
                Form::Tokens => took.tokens,
                Form::Money(_) => took.money.map_or(*reserved, |money| money.0),
            };
            if let Some(account) = state.accounts.get_mut(key) {
                account.correct(*reserved, took, self.at_ms, now_ms);
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.limits.state();
        for (key, amount) in self.taken.iter().filter(|(key, _)| key.form == Form::Calls) {
            if let Some(account) = state.accounts.get_mut(key) {
                account.release(*amount);
            }
        }
    }
}

#[cfg(test)]
mod tests;
