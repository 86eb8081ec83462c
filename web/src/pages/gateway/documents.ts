import { graphql } from "@/api";

export const Setup = graphql(`
  query GatewaySetup($waitFor: Position) {
    gatewayProviders(waitFor: $waitFor) {
      name
      protocol
      baseUrl
      credentialName
      credentialType
      connectMs
      firstTokenMs
      streamMs
      totalMs
      answerBytesMax
      authoritiesPem
      maxTokensField
      sendsThinking
      streamUsage
    }
    gatewayRoutes(waitFor: $waitFor) {
      name
      cache
      cacheAgeMsMax
      content
      repair
      fallBackOn
      attemptsMax
      retriesMax
      retryBudgetPercent
      failuresInARowMax
      leftAloneMs
      tiers {
        balance
        targets {
          provider
          model
          weight
        }
      }
    }
    gatewayLimits(waitFor: $waitFor) {
      name
      of
      holder
      id
      most
      money
      windowMs
    }
    gatewayPrices(waitFor: $waitFor) {
      currency
      models {
        provider
        model
        input
        cachedInput
        cacheWrite
        output
      }
    }
  }
`);

export const SetProvider = graphql(`
  mutation GatewaySetProvider($input: SetGatewayProviderInput!) {
    setGatewayProvider(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const SetRoute = graphql(`
  mutation GatewaySetRoute($input: SetGatewayRouteInput!) {
    setGatewayRoute(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const SetLimit = graphql(`
  mutation GatewaySetLimit($input: SetGatewayLimitInput!) {
    setGatewayLimit(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const SetPrices = graphql(`
  mutation GatewaySetPrices($input: SetGatewayPricesInput!) {
    setGatewayPrices(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const RemoveProvider = graphql(`
  mutation GatewayRemoveProvider($input: RemoveGatewayInput!) {
    removeGatewayProvider(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const RemoveRoute = graphql(`
  mutation GatewayRemoveRoute($input: RemoveGatewayInput!) {
    removeGatewayRoute(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const RemoveLimit = graphql(`
  mutation GatewayRemoveLimit($input: RemoveGatewayInput!) {
    removeGatewayLimit(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const Spend = graphql(`
  query GatewaySpend($by: ModelSpendBy!, $filter: ModelSpendFilterInput!) {
    modelSpend(by: $by, filter: $filter) {
      of
      calls
      completed
      cached
      inputTokens
      outputTokens
      cost
      currency
    }
  }
`);

export const Keys = graphql(`
  query GatewayKeys {
    apiKeys(first: 100) {
      nodes {
        key
        name
        account {
          name
        }
      }
    }
  }
`);

export const Workflows = graphql(`
  query GatewayWorkflows {
    workflows(first: 100) {
      nodes {
        id
        name
      }
    }
  }
`);

export const Credentials = graphql(`
  query GatewayCredentials {
    credentials(first: 100) {
      nodes {
        type
        name
      }
    }
  }
`);

export const LimitsTaken = graphql(`
  query GatewayLimitsTaken {
    gatewayLimits {
      name
      used
      left
      usedBy
      resetsAt
    }
  }
`);
