/** What the metrics of a process say of it. */
export interface ProcessFacts {
  version?: string;
  startedAt?: string;
  residentBytes?: number;
  cpuSeconds?: number;
  openFiles?: number;
  threads?: number;
}

/** Reads the few figures of the OpenMetrics text that people look for. */
export function factsOf(text: string): ProcessFacts {
  const number = (name: string) => {
    const found = new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.eE+-]+)$`, "m").exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const started = number("process_start_time_seconds");
  return {
    version: /^timeloom_build_info\{[^}]*version="([^"]+)"/m.exec(text)?.[1],
    startedAt: started === undefined ? undefined : new Date(started * 1_000).toISOString(),
    residentBytes: number("process_resident_memory_bytes"),
    cpuSeconds: number("process_cpu_seconds_total"),
    openFiles: number("process_open_fds"),
    threads: number("process_threads"),
  };
}
