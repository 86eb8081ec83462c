//! The API over real HTTP on a loopback port, with a log in memory and no engine: tests play the engine by appending.

mod http;
mod live;
mod mutations;
mod queries;
mod schema_text;
mod support;
