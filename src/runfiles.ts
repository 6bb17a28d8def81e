/**
 * What a run keeps beside its record: files, and every value of its metrics.
 */
import type { components } from './api-types';

type Schemas = components['schemas'];

export type RunFiles = Schemas['RunFiles'];
export type RunFile = RunFiles['files'][number];
export type Point = RunFiles['series'][number];

/** How requests are made: the client's own way, with its target and its errors. */
export interface IAsk {
  json<T>(path: string[]): Promise<T>;
  blob(path: string[], query: Record<string, string>): Promise<Blob>;
}

/** One method per operation of `api.yaml`. */
export class RunFilesClient {
  constructor(private _ask: IAsk) {}

  list(run: string): Promise<RunFiles> {
    return this._ask.json(['runs', run, 'files']);
  }

  file(run: string, name: string): Promise<Blob> {
    return this._ask.blob(['runs', run, 'file'], { name });
  }
}

/** Where the files are that steps kept with `log_artifact` and `log_figure`. */
const KEPT = 'artifacts/';

/** What is shown as a picture. An SVG may hold a program, which an `img` does not run. */
const PICTURE = /\.(png|jpe?g|gif|webp|svg)$/i;

/** Bytes of a picture that is fetched at once; a larger one is a file to be saved. */
const LARGEST = 8 << 20;

function isShown(file: RunFile): boolean {
  return PICTURE.test(file.name) && file.bytes <= LARGEST;
}

/** The files that steps kept: pictures that are shown, and all others. */
export function keptBySteps(files: ReadonlyArray<RunFile>): {
  pictures: ReadonlyArray<RunFile>;
  others: ReadonlyArray<RunFile>;
} {
  const kept = files.filter(file => file.name.startsWith(KEPT));
  return {
    pictures: kept.filter(isShown),
    others: kept.filter(file => !isShown(file))
  };
}

/**
 * An address for an `img`.
 *
 * An SVG may hold a program. An `img` runs none, but whoever opens the picture in a tab of its own makes a page of it: so its
 * address is a `data:` URL, whose page belongs to no site. A `blob:` URL would make it a page of the notebook server.
 */
export async function imageUrl(blob: Blob, file: RunFile): Promise<string> {
  if (!/\.svg$/i.test(file.name)) {
    return URL.createObjectURL(blob);
  }
  const picture = new Blob([blob], { type: 'image/svg+xml' });
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error('unreadable'));
    reader.readAsDataURL(picture);
  });
}

/** A file's name as the step gave it. */
export function plainName(file: RunFile): string {
  return file.name.slice(KEPT.length);
}

/** A metric over time: what is drawn of it, and what is not a number. */
export interface ICurve {
  readonly name: string;
  readonly task: string;
  readonly points: ReadonlyArray<readonly [x: number, y: number]>;
  /** Values that JSON has no number for (nan, inf). */
  readonly odd: number;
}

/**
 * Curves of the metrics that have more than one value, by name and step of the pipeline.
 *
 * The axis is the epoch or iteration where every value has one, else the order of the values.
 */
export function curves(series: ReadonlyArray<Point>): ICurve[] {
  const found = new Map<string, Point[]>();
  for (const point of series) {
    const key = JSON.stringify([point.name, point.task]);
    const known = found.get(key);
    if (known) {
      known.push(point);
    } else {
      found.set(key, [point]);
    }
  }
  return [...found.values()]
    .filter(points => points.length > 1)
    .map(points => {
      const stepped = points.every(point => typeof point.step === 'number');
      const drawn = points
        .map(
          (point, index) =>
            [stepped ? point.step! : index, point.value] as const
        )
        .filter(
          (pair): pair is readonly [number, number] =>
            typeof pair[1] === 'number'
        );
      return {
        name: points[0].name,
        task: points[0].task,
        points: stepped ? [...drawn].sort((a, b) => a[0] - b[0]) : drawn,
        odd: points.length - drawn.length
      };
    });
}
