import { graphql } from "@/api";

export const EditorProblem = graphql(`
  fragment EditorProblem on DraftProblem {
    node
    field
    message
    severity
    hinders
  }
`);

export const EditorWorkflow = graphql(`
  query EditorWorkflow($id: UUID!, $waitFor: Position) {
    workflow(id: $id, waitFor: $waitFor) {
      id
      name
      active
      activeVersion
      archived
      folder
      publishedVersion
      definition
      history {
        revision
        updatedPosition
      }
      draftProblems {
        ...EditorProblem
      }
      missingNodes {
        node
        message
        replacement
      }
      webhooks(draft: true) {
        node
        path
        methods
        url
        testUrl
        active
      }
    }
  }
`);

/** What a draft lacks: it is saved all the same. */
export const EditorVersion = graphql(`
  query EditorVersion($id: UUID!, $version: Int!) {
    workflow(id: $id) {
      definition(version: $version)
    }
  }
`);

/** What the catalogue tells of a parameter, without what is within it. */
export const EditorParameterFields = graphql(`
  fragment EditorParameterFields on NodeParameter {
    name
    label
    kind
    description
    placeholder
    names
    default
    required
    language
    versions
    shownWhen {
      parameter
      values
    }
    choices {
      value
      label
      description
    }
    operators {
      type
      operation
      rightType
      label
    }
    resource {
      of
      modes {
        name
        label
        listed
        placeholder
      }
    }
  }
`);

export const EditorInnerSection = graphql(`
  fragment EditorInnerSection on ParameterSection {
    key
    label
    many
    fields {
      ...EditorParameterFields
      fields {
        ...EditorParameterFields
      }
      sections {
        key
        label
        many
        fields {
          ...EditorParameterFields
        }
      }
    }
  }
`);

/** What the palette and the canvas tell of each type. */
export const EditorCatalogue = graphql(`
  query EditorCatalogue {
    nodeCatalogue {
      type
      displayName
      description
      switchedOff
      role
      group
      icon
      aliases
      inputs
      outputs
      portsVary
      versions
      ports {
        inputs
        outputs
        outputNames
      }
      helperPorts {
        serves
        takes {
          kind
        }
      }
      credentials {
        type
        required
        versions
        shownWhen {
          parameter
          values
        }
      }
    }
  }
`);

/**
 * The parameters of one type: those of all are many times what an editor shows, so they are asked for when a node is opened. They
 * lie within each other: nothing lies deeper than is asked for here.
 */
export const EditorParameters = graphql(`
  query EditorParameters($type: String!) {
    nodeCatalogue(type: $type) {
      parameters {
        ...EditorParameterFields
        fields {
          ...EditorParameterFields
          fields {
            ...EditorParameterFields
          }
          sections {
            ...EditorInnerSection
          }
        }
        sections {
          key
          label
          many
          fields {
            ...EditorParameterFields
            fields {
              ...EditorParameterFields
            }
            sections {
              ...EditorInnerSection
            }
          }
        }
      }
    }
  }
`);

/** How one node meets others, by its version and its parameters. */
export const EditorPorts = graphql(`
  query EditorPorts($type: String!, $typeVersion: Float!, $parameters: JSON!) {
    nodeCatalogue(type: $type) {
      ports(typeVersion: $typeVersion, parameters: $parameters) {
        inputs
        outputs
        outputNames
      }
      helperPorts(typeVersion: $typeVersion, parameters: $parameters) {
        serves
        takes {
          kind
        }
      }
    }
  }
`);

/** What a parameter that names something can be chosen from. */
export const EditorResources = graphql(`
  query EditorResources(
    $workflows: Boolean!
    $name: String
    $routes: Boolean!
    $agents: Boolean!
    $models: Boolean!
    $tables: Boolean!
    $waitFor: Position
  ) {
    workflows(first: 100, name: $name, archived: false, waitFor: $waitFor) @include(if: $workflows) {
      nodes {
        id
        name
      }
    }
    gatewayRoutes(waitFor: $waitFor) @include(if: $routes) {
      name
    }
    agents(first: 100, waitFor: $waitFor) @include(if: $agents) {
      nodes {
        name
        state
      }
    }
    dataTables(waitFor: $waitFor) @include(if: $tables) {
      id
      name
    }
    models(first: 100, waitFor: $waitFor) @include(if: $models) {
      nodes {
        name
        retired
        aliases {
          alias
        }
      }
    }
  }
`);

export const EditorCredentials = graphql(`
  query EditorCredentials($after: String, $waitFor: Position) {
    credentials(first: 100, after: $after, waitFor: $waitFor) {
      nodes {
        id
        name
        type
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
    credentialTypes {
      name
      displayName
    }
  }
`);

export const EditorChanged = graphql(`
  subscription EditorChanged($id: ID!, $resumeFrom: Position) {
    events(filter: { stream: { category: "workflow", id: $id } }, resumeFrom: $resumeFrom) {
      position
      revision
      type
      payload
      actor {
        kind
        name
        displayName
      }
    }
  }
`);

export const EditorImport = graphql(`
  mutation EditorImport($input: ImportWorkflowInput!) {
    importWorkflow(input: $input) {
      workflowId
      revision
      position
      draftProblems {
        ...EditorProblem
      }
      errors {
        ...Errors
      }
    }
  }
`);

export const EditorPins = graphql(`
  mutation EditorPins($input: ChangeWorkflowPinsInput!) {
    changeWorkflowPins(input: $input) {
      revision
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const EditorSettings = graphql(`
  mutation EditorSettings($input: ChangeWorkflowSettingsInput!) {
    changeWorkflowSettings(input: $input) {
      revision
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const EditorListen = graphql(`
  mutation EditorListen($input: WorkflowInput!) {
    listenForTestWebhook(input: $input) {
      revision
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const EditorStart = graphql(`
  mutation EditorStart($input: StartExecutionInput!) {
    startExecution(input: $input) {
      executionId
      position
      status
      errors {
        ...Errors
      }
    }
  }
`);

export const EditorRuns = graphql(`
  query EditorRuns($id: UUID!, $waitFor: Position) {
    executions(workflowId: $id, first: 20, waitFor: $waitFor) {
      nodes {
        id
        status
        startedAt
        mode
        workflowVersion
      }
    }
  }
`);

export const EditorRun = graphql(`
  query EditorRun($id: UUID!, $after: String, $waitFor: Position) {
    execution(id: $id, waitFor: $waitFor) {
      id
      status
      startedAt
      endedAt
      errorMessage
      errorNode
      workflowId
      nodeRuns(first: 100, after: $after) {
        nodes {
          id
          node
          runIndex
          status
          itemCounts
          pinned
          durationMs
          errorMessage
          sources
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

export const EditorRunEvents = graphql(`
  subscription EditorRunEvents($id: UUID!, $resumeFrom: Position) {
    execution(id: $id, resumeFrom: $resumeFrom) {
      position
      type
      status
      payload
    }
  }
`);

export const EditorStarted = graphql(`
  subscription EditorStarted($resumeFrom: Position) {
    executionsChanged(resumeFrom: $resumeFrom) {
      position
      execution {
        id
        workflowId
      }
    }
  }
`);

export const EditorItems = graphql(`
  query EditorItems($id: ID!) {
    node(id: $id) {
      ... on NodeRun {
        id
        output
        error
      }
    }
  }
`);

export const EditorPreview = graphql(`
  query EditorPreview($input: ExpressionPreviewInput!) {
    expressionPreview(input: $input) {
      value
      error
      itemCount
    }
  }
`);
