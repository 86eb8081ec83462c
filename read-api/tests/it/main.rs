//! The API over real HTTP on a loopback port, with a log in memory and no engine: tests play the engine by appending.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod chromium;
#[cfg(test)]
mod control;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod history;
#[cfg(test)]
mod http;
#[cfg(test)]
mod live;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod projections;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod schema_text;
#[cfg(test)]
mod support;
mod time;
