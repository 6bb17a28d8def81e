import { TranslationBundle } from '@jupyterlab/translation';
import React, { useId, useState } from 'react';

import { metric } from '../format';
import { ICurve } from '../runfiles';

const WIDTH = 280;
const HEIGHT = 120;
const PAD = 6;

/** Points drawn at most: more than there are pixels say nothing. */
const DRAWN = 560;

/** A curve with its least and greatest value; the value under the pointer, or the last; as a table for who does not see it. */
export function Chart(props: {
  curve: ICurve;
  /** Whether steps of the pipeline need to be told apart. */
  showTask: boolean;
  trans: TranslationBundle;
}): JSX.Element {
  const { curve, showTask, trans } = props;
  const id = useId();
  const [at, setAt] = useState<number | null>(null);
  const { points } = curve;
  const title = showTask ? `${curve.name} · ${curve.task}` : curve.name;
  if (points.length === 0) {
    return (
      <figure className="jp-mlops-chart">
        <figcaption>{title}</figcaption>
        <p className="jp-mlops-hint">{trans.__('No value is a number.')}</p>
      </figure>
    );
  }
  const frame = frameOf(points);
  const shown = points[Math.min(at ?? points.length - 1, points.length - 1)];
  const [x, y] = place(shown, frame);
  const move = (event: React.PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    setAt(
      nearest(points, frame, ((event.clientX - box.left) / box.width) * WIDTH)
    );
  };
  return (
    <figure className="jp-mlops-chart" aria-labelledby={id}>
      <figcaption id={id} title={title}>
        <span className="jp-mlops-chart-name">{title}</span>
        <span className="jp-mlops-hint">
          {trans.__('%1 at %2', metric(shown[1]), String(shown[0]))}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        onPointerMove={move}
        onPointerLeave={() => setAt(null)}
      >
        <polyline
          className="jp-mlops-chart-line"
          points={thinned(points)
            .map(point => place(point, frame).join(','))
            .join(' ')}
        />
        <line
          className="jp-mlops-chart-mark"
          x1={x}
          x2={x}
          y1={0}
          y2={HEIGHT}
        />
        <line className="jp-mlops-chart-dot" x1={x} x2={x} y1={y} y2={y} />
      </svg>
      <div className="jp-mlops-chart-range jp-mlops-hint">
        <span>{trans.__('least %1', metric(frame.low))}</span>
        <span>{trans.__('greatest %1', metric(frame.high))}</span>
      </div>
      {curve.odd > 0 && (
        <p className="jp-mlops-hint">
          {trans._n(
            '%1 value is not a number',
            '%1 values are not numbers',
            curve.odd
          )}
        </p>
      )}
      <details>
        <summary>{trans._n('%1 value', '%1 values', points.length)}</summary>
        <table className="jp-mlops-table">
          <tbody>
            {points.map(([where, value], index) => (
              <tr key={index}>
                <th scope="row">{where}</th>
                <td>{metric(value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

interface IFrame {
  readonly left: number;
  readonly right: number;
  readonly low: number;
  readonly high: number;
}

type XY = readonly [number, number];

function frameOf(points: ReadonlyArray<XY>): IFrame {
  const frame = {
    left: points[0][0],
    right: points[0][0],
    low: points[0][1],
    high: points[0][1]
  };
  for (const [x, y] of points) {
    frame.left = Math.min(frame.left, x);
    frame.right = Math.max(frame.right, x);
    frame.low = Math.min(frame.low, y);
    frame.high = Math.max(frame.high, y);
  }
  return frame;
}

/** Where a point is drawn; a line that does not rise lies in the middle. */
function place([x, y]: XY, { left, right, low, high }: IFrame): XY {
  const across = right > left ? (x - left) / (right - left) : 0.5;
  const up = high > low ? (y - low) / (high - low) : 0.5;
  return [
    PAD + across * (WIDTH - 2 * PAD),
    HEIGHT - PAD - up * (HEIGHT - 2 * PAD)
  ];
}

function nearest(points: ReadonlyArray<XY>, frame: IFrame, x: number): number {
  let best = 0;
  let away = Infinity;
  points.forEach((point, index) => {
    const distance = Math.abs(place(point, frame)[0] - x);
    if (distance < away) {
      [best, away] = [index, distance];
    }
  });
  return best;
}

/** Of many points the first, the last, and of each stretch between the least and the greatest: no peak is lost. */
export function thinned(points: ReadonlyArray<XY>): ReadonlyArray<XY> {
  if (points.length <= DRAWN) {
    return points;
  }
  const found: XY[] = [];
  const stretches = DRAWN / 2;
  for (let number = 0; number < stretches; number++) {
    const from = Math.floor((number * points.length) / stretches);
    const to = Math.floor(((number + 1) * points.length) / stretches);
    let low = from;
    let high = from;
    for (let index = from; index < to; index++) {
      low = points[index][1] < points[low][1] ? index : low;
      high = points[index][1] > points[high][1] ? index : high;
    }
    for (const index of [...new Set([low, high])].sort((a, b) => a - b)) {
      found.push(points[index]);
    }
  }
  return [points[0], ...found, points[points.length - 1]];
}
