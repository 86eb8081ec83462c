//! The read models from outside: what is appended to a log, and what the questions answer.

#[cfg(test)]
mod access;
#[cfg(test)]
mod as_of;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod inferences;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod model_calls;
#[cfg(test)]
mod parked;
#[cfg(test)]
mod places;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod rollouts;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod world;
