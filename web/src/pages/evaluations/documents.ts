import { graphql } from "@/api";

export const ListOfSets = graphql(`
  query EvaluationSetsList($first: Int, $after: String, $asOf: AsOf, $waitFor: Position) {
    evaluationSets(first: $first, after: $after, asOf: $asOf, waitFor: $waitFor) {
      nodes {
        name
        description
        newestVersion
        version {
          version
          caseCount
          addedAt
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const OneSet = graphql(`
  query EvaluationSetPage($name: String!, $asOf: AsOf, $waitFor: Position) {
    evaluationSet(name: $name, asOf: $asOf, waitFor: $waitFor) {
      name
      description
      newestVersion
      versions {
        version
        caseCount
        bytes
        addedAt
      }
    }
  }
`);

/** All cases of a version: at most a thousand, of 2 MiB together. */
export const CasesOfSet = graphql(`
  query EvaluationSetCases($name: String!, $version: Int!, $asOf: AsOf, $waitFor: Position) {
    evaluationSet(name: $name, asOf: $asOf, waitFor: $waitFor) {
      name
      version(version: $version) {
        version
        cases(first: 1000) {
          id
          input
          expected
          origin
          inferenceId
          executionId
        }
      }
    }
  }
`);

/** What is tried, on what, and how it is judged. */
export const EvaluationFacts = graphql(`
  fragment EvaluationFacts on Evaluation {
    id
    modelName
    workflowId
    agentName
    version
    setName
    setVersion
    status
    requestedAt
    endedAt
    failure
    summary
    scorers {
      name
      kind
      at
      expectedAt
      pattern
      tolerance
      schema
      workflowId
      version
    }
  }
`);

export const EvaluationsOfSet = graphql(`
  query EvaluationSetEvaluations(
    $set: String!
    $status: EvaluationStatus
    $first: Int
    $after: String
    $asOf: AsOf
    $waitFor: Position
  ) {
    evaluations(set: $set, status: $status, first: $first, after: $after, asOf: $asOf, waitFor: $waitFor) {
      nodes {
        ...EvaluationFacts
        scored {
          cases
          failed
          scorers {
            name
            mean
            count
            failed
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const OneEvaluation = graphql(`
  query EvaluationPage($id: UUID!, $waitFor: Position) {
    evaluation(id: $id, waitFor: $waitFor) {
      ...EvaluationFacts
      tolerance
      backtest {
        cases
        same
        near
        different
        failed
        skipped
      }
      scored {
        cases
        failed
        scorers {
          name
          mean
          count
          failed
        }
        scores(first: 1000) {
          caseId
          scores
          executionId
          agentRunId
        }
        told {
          caseId
          failure
          verdicts {
            scorer
            score
            reason
          }
        }
      }
    }
  }
`);

/** What a side of a comparison has: the scores of its cases, and what was run for them. */
export const ComparedFacts = graphql(`
  fragment ComparedFacts on Evaluation {
    ...EvaluationFacts
    scored {
      scores(first: 1000) {
        caseId
        scores
        executionId
        agentRunId
      }
    }
  }
`);

export const Comparison = graphql(`
  query EvaluationComparison($before: UUID!, $after: UUID!, $waitFor: Position) {
    compareEvaluations(before: $before, after: $after, waitFor: $waitFor) {
      before {
        ...ComparedFacts
      }
      after {
        ...ComparedFacts
      }
      scorers {
        name
        cases
        before
        after
        difference
        wins
        losses
        ties
        pValue
      }
    }
  }
`);

/** One side of a comparison, where there is no other yet or they cannot be compared. */
export const SideOfComparison = graphql(`
  query EvaluationComparisonSide($id: UUID!, $waitFor: Position) {
    evaluation(id: $id, waitFor: $waitFor) {
      ...EvaluationFacts
    }
  }
`);

/** Sets came, or got versions. */
export const SetsChanged = graphql(`
  subscription EvaluationSetsChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["evaluation-set"] }) {
      position
    }
  }
`);

export const SetChanged = graphql(`
  subscription EvaluationSetChanged($name: ID!, $resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { stream: { category: "evaluation-set", id: $name } }) {
      position
    }
  }
`);

/** Evaluations were asked for, or ended. */
export const EvaluationsChanged = graphql(`
  subscription EvaluationsChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["evaluation"] }) {
      position
    }
  }
`);

export const EvaluationChanged = graphql(`
  subscription EvaluationChanged($id: ID!, $resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { stream: { category: "evaluation", id: $id } }) {
      position
    }
  }
`);

export const CreateSet = graphql(`
  mutation EvaluationSetCreate($input: CreateEvaluationSetInput!) {
    createEvaluationSet(input: $input) {
      name
      leftOut
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AddVersion = graphql(`
  mutation EvaluationSetAddVersion($input: AddEvaluationSetVersionInput!) {
    addEvaluationSetVersion(input: $input) {
      name
      leftOut
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const StartEvaluation = graphql(`
  mutation EvaluationStart($input: StartEvaluationInput!) {
    startEvaluation(input: $input) {
      evaluation {
        id
      }
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const WorkflowName = graphql(`
  query EvaluationWorkflowName($id: UUID!) {
    workflow(id: $id) {
      id
      name
    }
  }
`);

/** Workflows by a part of their names, to choose from. */
export const WorkflowChoices = graphql(`
  query EvaluationWorkflowChoices($name: String) {
    workflows(first: 50, archived: false, name: $name) {
      nodes {
        id
        name
        publishedVersion
      }
    }
  }
`);

export const WorkflowVersionChoices = graphql(`
  query EvaluationWorkflowVersions($id: UUID!) {
    workflow(id: $id) {
      id
      name
      versions(first: 100) {
        nodes {
          version
        }
      }
    }
  }
`);

export const ModelChoices = graphql(`
  query EvaluationModelChoices {
    models(first: 100) {
      nodes {
        id
        name
        versions {
          version
          withdrawnReason
        }
      }
    }
  }
`);

export const AgentChoices = graphql(`
  query EvaluationAgentChoices {
    agents(first: 100) {
      nodes {
        name
        state
        versions {
          version
        }
      }
    }
  }
`);
