/**
 * How values are written for people: times, sizes, numbers, places. Pure, and told the language.
 */
import { TranslationBundle } from '@jupyterlab/translation';

import type { Phase, Service } from './api';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "5 min ago"; both in seconds since the epoch. A clock that is a little behind is no reason to say "in 2 seconds". */
export function relativeTime(
  time: number,
  now: number,
  trans: TranslationBundle
): string {
  const seconds = Math.max(0, now - time);
  if (seconds < 10) {
    return trans.__('just now');
  }
  if (seconds < MINUTE) {
    return trans.__('%1 s ago', Math.floor(seconds));
  }
  if (seconds < HOUR) {
    return trans.__('%1 min ago', Math.floor(seconds / MINUTE));
  }
  if (seconds < DAY) {
    return trans.__('%1 h ago', Math.floor(seconds / HOUR));
  }
  if (seconds < 30 * DAY) {
    const days = Math.floor(seconds / DAY);
    return trans._n('%1 day ago', '%1 days ago', days);
  }
  return new Date(time * 1000).toLocaleDateString();
}

/** Date and time of day, for tooltips. */
export function absoluteTime(time: number): string {
  return new Date(time * 1000).toLocaleString(undefined, {
    dateStyle: 'medium',
    timeStyle: 'medium'
  });
}

/** "850 ms", "3.2 s", "1 min 12 s", "2 h 5 min". */
export function duration(seconds: number, trans: TranslationBundle): string {
  if (seconds < 1) {
    return trans.__('%1 ms', Math.round(Math.max(0, seconds) * 1000));
  }
  if (seconds < 9.95) {
    // Whole seconds are what a clock that counts shows.
    return trans.__(
      '%1 s',
      Number.isInteger(seconds) ? seconds : seconds.toFixed(1)
    );
  }
  const whole = Math.round(seconds);
  if (whole < MINUTE) {
    return trans.__('%1 s', whole);
  }
  if (whole < HOUR) {
    return trans.__('%1 min %2 s', Math.floor(whole / MINUTE), whole % MINUTE);
  }
  return trans.__(
    '%1 h %2 min',
    Math.floor(whole / HOUR),
    Math.floor((whole % HOUR) / MINUTE)
  );
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Decimal units, at most three digits: "412 B", "1.3 MB". */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A metric, at most four significant digits, large numbers in full. */
export function metric(value: number): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  if (Number.isInteger(value) && Math.abs(value) < 1e15) {
    return String(value);
  }
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4
    ? value.toExponential(3)
    : String(Number(value.toPrecision(4)));
}

/** "cells 1–3, 7"; cells are counted from 0, as everywhere. '' for no cells. */
export function cellRange(
  cells: ReadonlyArray<number>,
  trans: TranslationBundle
): string {
  if (cells.length === 0) {
    return '';
  }
  const ranges: string[] = [];
  for (let i = 0; i < cells.length;) {
    let end = i;
    while (end + 1 < cells.length && cells[end + 1] === cells[end] + 1) {
      end++;
    }
    ranges.push(i === end ? `${cells[i]}` : `${cells[i]}–${cells[end]}`);
    i = end + 1;
  }
  return cells.length === 1
    ? trans.__('cell %1', ranges[0])
    : trans.__('cells %1', ranges.join(', '));
}

/** "cell 3, line 2"; '' for no place. */
export function place(
  where: { cell?: number | null; line?: number | null },
  trans: TranslationBundle
): string {
  if (where.cell === null || where.cell === undefined) {
    return '';
  }
  return where.line === null || where.line === undefined
    ? trans.__('cell %1', where.cell)
    : trans.__('cell %1, line %2', where.cell, where.line);
}

/** A value on one line, shortened. */
export function brief(value: unknown, length = 60): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** Phases of runs, steps and services. */
export type KnownPhase = Phase | Service['phase'];

/** The word for a phase. */
export function phaseLabel(
  phase: KnownPhase,
  trans: TranslationBundle
): string {
  switch (phase) {
    case 'Pending':
      return trans.__('Pending');
    case 'Running':
      return trans.__('Running');
    case 'Succeeded':
      return trans.__('Succeeded');
    case 'Failed':
      return trans.__('Failed');
    case 'Error':
      return trans.__('Error');
    case 'Stopped':
      return trans.__('Stopped');
    case 'Skipped':
      return trans.__('Skipped');
    case 'Loading':
      return trans.__('Loading');
    case 'Ready':
      return trans.__('Ready');
  }
}

/**
 * What a step does other than to run once, in its turn, on any node: a few
 * words for a node of the graph.
 */
export function marks(
  options: Readonly<Record<string, unknown>> | undefined,
  trans: TranslationBundle
): string[] {
  const found: string[] = [];
  const { each, when, finally: final, gpu, retries } = options ?? {};
  if (typeof each === 'string') {
    found.push(trans.__('each %1', each.split(' in ')[0]));
  }
  if (typeof when === 'string') {
    found.push(trans.__('if %1', when));
  }
  if (final) {
    found.push(trans.__('at the end'));
  }
  if (typeof gpu === 'number' && gpu > 0) {
    found.push(trans._n('%1 GPU', '%1 GPUs', gpu));
  }
  if (typeof retries === 'number' && retries > 0) {
    found.push(trans._n('%1 retry', '%1 retries', retries));
  }
  return found;
}
