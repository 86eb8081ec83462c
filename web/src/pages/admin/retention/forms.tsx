import { useState } from "react";
import { useChange } from "@/api";
import { Field, Select } from "@/ui";
import { ApproveDialog, HoldDialog, Reason, ReasonDialog, settled } from "../decisions";
import { FormDialog, TextField } from "../parts";
import {
  AdminApproveRetention,
  AdminApproveRetentionRelease,
  AdminPlaceRetentionHold,
  AdminRequestRetentionRelease,
  AdminSetRetention,
  AdminWithdrawRetention,
  type Retention,
} from "./documents";
import { Forecast } from "./Forecast";
import { DAYS_MAX, changeOf, daysOf, keptWords, labelOf } from "./words";

export interface FormProps {
  retention: Retention;
  onClose: () => void;
}

/** For how long data is to be kept; what that takes is told before it is asked for. */
export function SetRetention({ retention, onClose }: FormProps) {
  const { category, days: now } = retention;
  const [isLimited, setLimited] = useState(now === null);
  const [text, setText] = useState(now === null ? "" : String(now));
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [set, isBusy] = useChange(AdminSetRetention, {
    payload: (data) => data.setRetention,
    done: (payload) =>
      payload.retention?.request ? "It is asked for: another user has to approve it" : "It is kept so long from now on",
    failed: "Nothing was changed",
    quiet: true,
  });
  const days = isLimited ? daysOf(text) : null;
  const change = days === undefined ? undefined : changeOf(now, days);
  const isWrong = isLimited && text.trim() !== "" && days === undefined;
  const submit = async () => {
    if (days === undefined) return;
    settled(await set({ input: { category, days, reason: reason.trim() } }), setProblem, onClose);
  };
  return (
    <FormDialog
      title={`How long ${labelOf(category).toLowerCase()} are kept`}
      submit={change === "shorter" ? "Ask for it" : "Set it"}
      isBusy={isBusy}
      isIncomplete={change === undefined || change === "same" || reason.trim() === ""}
      problem={problem}
      onClose={onClose}
      onSubmit={() => void submit()}
    >
      <Field label="Keep them">
        <Select
          value={isLimited ? "days" : "ever"}
          choices={[
            { value: "days", label: "for a number of days" },
            { value: "ever", label: "for ever" },
          ]}
          onChange={(next) => setLimited(next === "days")}
        />
      </Field>
      {isLimited && (
        <TextField
          label="Days"
          value={text}
          onChange={setText}
          inputMode="numeric"
          maxLength={5}
          aria-invalid={isWrong || undefined}
          hint={`A whole number, from 1 to ${DAYS_MAX.toLocaleString()}. A day goes once all of it is older.`}
          data-autofocus
        />
      )}
      <Consequence retention={retention} days={days} />
      <Reason value={reason} onChange={setReason} />
    </FormDialog>
  );
}

/** What another time comes to, before it is set. */
function Consequence({ retention, days }: { retention: Retention; days: number | null | undefined }) {
  if (days === undefined) return null;
  switch (changeOf(retention.days, days)) {
    case "same":
      return <p className="text-[13px] text-muted">They are kept {keptWords(days)} already.</p>;
    case "longer":
      return <p className="text-[13px]">It counts at once: what would have gone before stays that much longer.</p>;
    case "shorter":
      return (
        <div className="flex flex-col gap-2 rounded-md bg-sunken px-3 py-2">
          <p className="text-[13px] font-medium">Another user has to approve it. Then:</p>
          {days !== null && <Forecast retention={retention} days={days} />}
        </div>
      );
  }
}

/** Says yes to what another one asked for, with what it takes before one's eyes. */
export function ApproveRetention({ retention, onClose }: FormProps) {
  const { category, request } = retention;
  const [approve, isBusy] = useChange(AdminApproveRetention, {
    payload: (data) => data.approveRetention,
    done: "It is kept so long from now on",
    failed: "It was not approved",
    quiet: true,
  });
  if (!request) return null;
  const data = labelOf(category).toLowerCase();
  return (
    <ApproveDialog
      title={`Keep ${data} ${keptWords(request.days)}`}
      submit="Approve it"
      isDangerous
      isBusy={isBusy}
      onClose={onClose}
      onSubmit={() => approve({ input: { category } })}
    >
      <p>
        They are kept {keptWords(retention.days)} now. What begins from then on goes by itself once it is old enough,
        with its attachments. <strong>What went cannot be brought back.</strong>
      </p>
      <Forecast retention={retention} days={request.days} />
    </ApproveDialog>
  );
}

export function WithdrawRetention({ retention, onClose }: FormProps) {
  const { category, days } = retention;
  const [withdraw, isBusy] = useChange(AdminWithdrawRetention, {
    payload: (data) => data.withdrawRetention,
    done: "The request is withdrawn",
    failed: "The request was not withdrawn",
    quiet: true,
  });
  return (
    <ReasonDialog
      title="Withdraw the request"
      submit="Withdraw it"
      isBusy={isBusy}
      onClose={onClose}
      onSubmit={(reason) => withdraw({ input: { category, reason } })}
    >
      {labelOf(category)} are kept {keptWords(days)}, until somebody asks again.
    </ReasonDialog>
  );
}

export function PlaceHold({ retention, onClose }: FormProps) {
  const { category } = retention;
  const [place, isBusy] = useChange(AdminPlaceRetentionHold, {
    payload: (data) => data.placeRetentionHold,
    done: "The hold is placed: nothing goes before it is released",
    failed: "The hold was not placed",
    quiet: true,
  });
  return (
    <HoldDialog
      isBusy={isBusy}
      onClose={onClose}
      onSubmit={(hold, reason) => place({ input: { category, hold, reason } })}
      onDone={onClose}
    >
      <p className="text-muted">
        While a hold is on all {labelOf(category).toLowerCase()}, none of their data goes because of its age. Releasing
        it takes two users.
      </p>
    </HoldDialog>
  );
}

interface HoldProps extends FormProps {
  hold: string;
}

export function AskRelease({ retention: { category }, hold, onClose }: HoldProps) {
  const [ask, isBusy] = useChange(AdminRequestRetentionRelease, {
    payload: (data) => data.requestRetentionHoldRelease,
    done: "The release is asked for: another user has to approve it",
    failed: "The release was not asked for",
    quiet: true,
  });
  return (
    <ReasonDialog
      title={`Release the hold ${hold}`}
      submit="Ask for the release"
      isBusy={isBusy}
      onClose={onClose}
      onSubmit={(reason) => ask({ input: { category, hold, reason } })}
    >
      The hold stays until another user approves.
    </ReasonDialog>
  );
}

export function ApproveRelease({ retention, hold, onClose }: HoldProps) {
  const { category, days, holds } = retention;
  const [release, isBusy] = useChange(AdminApproveRetentionRelease, {
    payload: (data) => data.approveRetentionHoldRelease,
    done: "The hold is released",
    failed: "The hold was not released",
    quiet: true,
  });
  const others = holds.filter((one) => one.name !== hold);
  return (
    <ApproveDialog
      title={`Release the hold ${hold}`}
      submit="Approve the release"
      isBusy={isBusy}
      onClose={onClose}
      onSubmit={() => release({ input: { category, hold } })}
    >
      {days === null ? (
        <p>{labelOf(category)} are kept for ever: nothing goes by itself, until somebody sets a retention.</p>
      ) : (
        <>
          <p>{labelOf(category)} go by themselves again once they are old enough, where no other hold is on them.</p>
          <Forecast retention={{ ...retention, holds: others }} days={days} />
        </>
      )}
    </ApproveDialog>
  );
}
