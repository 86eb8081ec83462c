//! The read models from outside: what is appended to a log, and what the questions answer.

#[cfg(test)]
mod as_of;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod places;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod world;
