import { useMemo } from "react";
import { graphql, useChange } from "@/api";
import { Cancel, Dismiss, Resume, Retry, Unpause } from "@/parts/execution-documents";

const Pause = graphql(`
  mutation ExecutionPause($input: PauseExecutionInput!) {
    pauseExecution(input: $input) {
      ...ExecutionChanged
    }
  }
`);
const Breakpoints = graphql(`
  mutation ExecutionBreakpoints($input: ChangeBreakpointsInput!) {
    changeBreakpoints(input: $input) {
      ...ExecutionChanged
    }
  }
`);
const Again = graphql(`
  mutation ExecutionStartAgain($input: StartExecutionInput!) {
    startExecution(input: $input) {
      executionId
      position
      errors {
        ...Errors
      }
    }
  }
`);

/** What can be done with an execution. */
export function useExecutionChanges() {
  const [cancel] = useChange(Cancel, {
    payload: (data) => data.cancelExecution,
    done: "The execution is cancelled",
    failed: "The execution was not cancelled",
  });
  const [pause, isPausing] = useChange(Pause, {
    payload: (data) => data.pauseExecution,
    done: "It pauses before its next node",
    failed: "The execution was not paused",
  });
  const [unpause, isUnpausing] = useChange(Unpause, {
    payload: (data) => data.unpauseExecution,
    failed: "The execution does not go on",
  });
  const [retry, isRetrying] = useChange(Retry, {
    payload: (data) => data.retryExecution,
    done: "It is tried again",
    failed: "It was not tried again",
  });
  const [dismiss] = useChange(Dismiss, {
    payload: (data) => data.dismissExecution,
    done: "The failure is dismissed",
    failed: "The failure was not dismissed",
  });
  const [resume, isResuming] = useChange(Resume, {
    payload: (data) => data.resumeExecution,
    done: "The wait is over",
    failed: "The wait was not ended",
  });
  const [setBreakpoints, isSetting] = useChange(Breakpoints, {
    payload: (data) => data.changeBreakpoints,
    failed: "The breakpoints were not changed",
  });
  const [startAgain, isStarting] = useChange(Again, {
    payload: (data) => data.startExecution,
    done: "A new execution has begun",
    failed: "No execution was begun",
  });
  return useMemo(
    () => ({
      cancel,
      pause,
      isPausing,
      unpause,
      isUnpausing,
      retry,
      isRetrying,
      dismiss,
      resume,
      isResuming,
      setBreakpoints,
      isSetting,
      startAgain,
      isStarting,
    }),
    [
      cancel,
      pause,
      isPausing,
      unpause,
      isUnpausing,
      retry,
      isRetrying,
      dismiss,
      resume,
      isResuming,
      setBreakpoints,
      isSetting,
      startAgain,
      isStarting,
    ],
  );
}

export type ExecutionChanges = ReturnType<typeof useExecutionChanges>;
