//! What may be asked of a model.

use super::{ModelFile, ModelSettings, RolloutFigures, RolloutGuard};
use crate::ids::Slug;

/// A request to change one model.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelCommand {
    /// Take its name.
    Register {
        /// Its name.
        name: Slug,
        /// What it computes.
        description: String,
    },
    /// Add a version; it gets the next number.
    AddVersion {
        /// Format of the file.
        format: String,
        /// SHA-256 of the file, hexadecimal.
        digest: String,
        /// What was read from the file; absent where only its digest is told.
        file: Option<Box<ModelFile>>,
    },
    /// Write down that a file did not pass the checks.
    RejectVersion {
        /// SHA-256 of the file, hexadecimal.
        digest: String,
        /// Its length in bytes.
        bytes: u64,
        /// Which check, and why.
        reason: String,
    },
    /// Let a version answer nothing any more.
    Withdraw {
        /// The version.
        version: u32,
        /// Why.
        reason: String,
    },
    /// Let this version answer.
    Promote {
        /// The version.
        version: u32,
        /// Why.
        reason: Option<String>,
    },
    /// Let the version answer again that did before the promoted one.
    RollBack {
        /// Why.
        reason: String,
    },
    /// Let an alias name a version.
    SetAlias {
        /// The alias.
        alias: Slug,
        /// The version.
        version: u32,
        /// Why.
        reason: Option<String>,
    },
    /// Let an alias name nothing.
    RemoveAlias {
        /// The alias.
        alias: Slug,
    },
    /// Let its versions be run otherwise.
    Configure {
        /// How.
        settings: ModelSettings,
    },
    /// Let workers keep a version loaded.
    Load {
        /// The version.
        version: u32,
    },
    /// Let them not.
    Unload {
        /// The version.
        version: u32,
    },
    /// Try a version on a part of the requests.
    StartRollout {
        /// The version.
        version: u32,
        /// Of a hundred requests so many.
        percent: u8,
        /// Whether on copies only.
        shadow: bool,
        /// The alias whose requests are meant; absent = those that name no version.
        alias: Option<Slug>,
        /// When the trial is over by itself.
        guard: Option<RolloutGuard>,
    },
    /// Try it on another part.
    StepRollout {
        /// Of a hundred requests so many.
        percent: u8,
    },
    /// End the trial.
    EndRollout {
        /// Whether the version is promoted.
        promote: bool,
        /// Why.
        reason: String,
    },
    /// End the trial of a version because its guard says so. Where it is not under way any more, nothing happens.
    GuardRollout {
        /// The version that was tried.
        version: u32,
        /// What was found.
        reason: String,
        /// What was counted.
        figures: Box<RolloutFigures>,
    },
    /// Let it answer again.
    Enable,
    /// Let it answer no more.
    Disable {
        /// Why.
        reason: String,
    },
    /// Put it away for good.
    Retire,
}
