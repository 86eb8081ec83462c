import type { UserError } from "@/api";

const PROBLEMS_MAX = 10;

/** Why something was not done, and what is wrong where. */
export function Refusal({ title, errors }: { title?: string; errors: readonly UserError[] }) {
  const problems = errors.flatMap((error) => error.problems ?? []);
  return (
    <div role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-[13px] break-words text-bad">
      {title !== undefined && <p className="font-medium">{title}</p>}
      {errors.map((error) => (
        <p key={error.message}>{error.message}</p>
      ))}
      {problems.slice(0, PROBLEMS_MAX).map((problem) => (
        <p key={`${problem.node ?? ""} ${problem.field} ${problem.message}`} className="mt-1">
          {problem.node && <strong>{problem.node}: </strong>}
          {problem.message}
        </p>
      ))}
      {problems.length > PROBLEMS_MAX && <p className="mt-1">and {problems.length - PROBLEMS_MAX} more</p>}
    </div>
  );
}
