import { graphql } from "@/api";

export const PublishVersion = graphql(`
  mutation AgentPublishVersion($input: PublishAgentVersionInput!) {
    publishAgentVersion(input: $input) {
      name
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Configure = graphql(`
  mutation AgentConfigure($input: ConfigureAgentInput!) {
    configureAgent(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Deprecate = graphql(`
  mutation AgentDeprecate($input: DeprecateAgentInput!) {
    deprecateAgent(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Retire = graphql(`
  mutation AgentRetire($input: RetireAgentInput!) {
    retireAgent(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const ClearMemory = graphql(`
  mutation AgentClearMemory($input: ClearAgentMemoryInput!) {
    clearAgentMemory(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const StartRun = graphql(`
  mutation AgentStartRun($input: StartAgentRunInput!) {
    startAgentRun(input: $input) {
      runId
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Approve = graphql(`
  mutation AgentGiveApproval($input: GiveApprovalInput!) {
    giveApproval(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Pause = graphql(`
  mutation AgentPauseRun($input: AgentRunReasonInput!) {
    pauseAgentRun(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Resume = graphql(`
  mutation AgentResumeRun($input: ResumeAgentRunInput!) {
    resumeAgentRun(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Cancel = graphql(`
  mutation AgentCancelRun($input: AgentRunReasonInput!) {
    cancelAgentRun(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Fork = graphql(`
  mutation AgentForkRun($input: ForkAgentRunInput!) {
    forkAgentRun(input: $input) {
      runId
      position
      errors {
        ...Errors
      }
    }
  }
`);
