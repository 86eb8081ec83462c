import { graphql } from "@/api";

export const DriftReport = graphql(`
  query ModelDriftReport(
    $name: String!
    $version: Int
    $alias: String
    $baseline: DriftTimesInput
    $window: DriftTimesInput
    $last: Int! = 500
    $bounds: DriftBoundsInput
  ) {
    modelDrift(
      name: $name
      version: $version
      alias: $alias
      baseline: $baseline
      window: $window
      last: $last
      bounds: $bounds
    ) {
      verdict
      pBound
      hasMoreFeatures
      baseline {
        ...DriftSampleCounts
      }
      window {
        ...DriftSampleCounts
      }
      features {
        feature
        kind
        value {
          ...DriftShift
        }
        missing {
          ...DriftShift
        }
        baseline {
          observations
          missing
          mean
        }
        window {
          observations
          missing
          mean
        }
      }
    }
  }

  fragment DriftSampleCounts on DriftSampleCounts {
    inferences
    notKept
    erased
  }

  fragment DriftShift on DriftShift {
    psi
    pValue
    test
    verdict
  }
`);

export const DriftWatchOfModel = graphql(`
  query ModelDriftWatch($name: String!, $waitFor: Position) {
    model(name: $name, waitFor: $waitFor) {
      id
      name
      driftWatch {
        running
        startedAt
        stoppedAt
        window
        version
        alias
        judged
        baseline {
          newest
          from
          until
        }
        bounds {
          moderate
          drifted
          p
        }
        last {
          stable
          moderate
          drifted
          tooFew
          judgedAt
          worstFeature
          worstPsi
          window {
            number
            upTo
          }
        }
        findings {
          feature
          statistic
          value
          bound
          pValue
          pBound
          foundAt
          observations
          baselineObservations
          window {
            number
            upTo
          }
        }
      }
    }
  }
`);

/** What came of the newest windows of a model, of whichever watch. */
export const DriftReadings = graphql(`
  query ModelDriftReadings($name: ID!, $waitFor: Position) {
    events(
      filter: { stream: { category: "drift-watch", id: $name }, types: ["DriftWindowJudged"] }
      direction: BACKWARD
      first: 100
      waitFor: $waitFor
    ) {
      nodes {
        id
        position
        payload
      }
    }
  }
`);

export const DriftWatchChanged = graphql(`
  subscription ModelDriftWatchChanged($name: ID!, $resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { stream: { category: "drift-watch", id: $name } }) {
      position
    }
  }
`);

export const StartWatch = graphql(`
  mutation ModelStartDriftWatch($input: StartDriftWatchInput!) {
    startDriftWatch(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const StopWatch = graphql(`
  mutation ModelStopDriftWatch($input: StopDriftWatchInput!) {
    stopDriftWatch(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);
