//! The API over real HTTP on a loopback port, with a log in memory and no engine: tests play the engine by appending.

#[cfg(test)]
mod access;
mod agents;
#[cfg(test)]
mod app;
mod archive;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod chromium;
#[cfg(test)]
mod compatible;
#[cfg(test)]
mod control;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod drafts;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod evaluations;
#[cfg(test)]
mod finding;
mod gateway_limits;
#[cfg(test)]
mod history;
#[cfg(test)]
mod http;
#[cfg(test)]
mod inferences;
mod integers;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod live;
mod models;
#[cfg(test)]
mod monitoring;
mod mutations;
#[cfg(test)]
mod oidc;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod people;
#[cfg(test)]
mod projections;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod schema_text;
#[cfg(test)]
mod service_nodes;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sweeps;
#[cfg(test)]
mod time;
#[cfg(test)]
mod unwritten;
