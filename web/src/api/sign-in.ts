let isLeaving = false;

/** Leads to the page for signing in, and back here after it. */
export function leadToSignIn(): void {
  if (isLeaving) return;
  isLeaving = true;
  const here = location.pathname + location.search;
  location.assign(here === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(here)}`);
}
