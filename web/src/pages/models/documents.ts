import { graphql } from "@/api";

export const OneModel = graphql(`
  query ModelPage($name: String!, $waitFor: Position) {
    model(name: $name, waitFor: $waitFor) {
      id
      name
      description
      disabled
      disabledReason
      retired
      promotedVersion
      keptLoaded
      aliases {
        alias
        version
      }
      rollout {
        version
        percent
        shadow
        alias
        guard {
          metric
          bound
          fewest
        }
        figures {
          compared
          disagreed
          candidate {
            answered
            failed
            latencyP95Us
          }
          stable {
            answered
            failed
            latencyP95Us
          }
        }
      }
      settings {
        recording
        recordedOneIn
        gpu
        threads
        instancesMin
        instancesMax
        rowsMax
        queueMax
        queueDelayUs
        timeoutMs
        finiteOnly
        tf32
      }
      versions {
        version
        format
        digest
        withdrawnReason
        file {
          bytes
          nodes
          opset
          producer
          licence
          source
          inputs {
            name
            element
            shape
          }
          outputs {
            name
            element
            shape
          }
        }
      }
      loads(first: 20) {
        nodes {
          id
          version
          provider
          gpu
          fellBack
          degraded
          instances
          threads
          rowsMax
          loadMs
          warmUpMs
          runtime
          machine
          options
          unloaded
          workerId
          history {
            createdAt
          }
        }
      }
      history {
        revision
        createdAt
        updatedAt
        updatedPosition
      }
    }
  }
`);

export const AddAlias = graphql(`
  mutation ModelSetAlias($input: SetModelAliasInput!) {
    setModelAlias(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const RemoveAlias = graphql(`
  mutation ModelRemoveAlias($input: RemoveModelAliasInput!) {
    removeModelAlias(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Promote = graphql(`
  mutation ModelPromote($input: PromoteModelInput!) {
    promoteModel(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const RollBack = graphql(`
  mutation ModelRollBack($input: RollBackModelInput!) {
    rollBackModel(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Withdraw = graphql(`
  mutation ModelWithdraw($input: WithdrawModelVersionInput!) {
    withdrawModelVersion(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Load = graphql(`
  mutation ModelLoadVersion($input: ModelVersionInput!) {
    loadModel(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Unload = graphql(`
  mutation ModelUnloadVersion($input: ModelVersionInput!) {
    unloadModel(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const StartRollout = graphql(`
  mutation ModelStartRollout($input: StartModelRolloutInput!) {
    startModelRollout(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const StepRollout = graphql(`
  mutation ModelStepRollout($input: StepModelRolloutInput!) {
    stepModelRollout(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const EndRollout = graphql(`
  mutation ModelEndRollout($input: EndModelRolloutInput!) {
    endModelRollout(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Configure = graphql(`
  mutation ModelConfigure($input: ConfigureModelInput!) {
    configureModel(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Disable = graphql(`
  mutation ModelDisable($input: DisableModelInput!) {
    disableModel(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Enable = graphql(`
  mutation ModelEnable($input: ModelInput!) {
    enableModel(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Retire = graphql(`
  mutation ModelRetire($input: ModelInput!) {
    retireModel(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);
