/**
 * Layered layout of a small directed graph (Sugiyama's scheme): layers by longest path, order by barycentres,
 * positions by isotonic regression. What follows from other edges is not drawn (transitive reduction): the picture
 * shows the order, the list beside it all needs. Pure; good for the tens of steps that a notebook has.
 */

export interface IGraphNode {
  readonly id: string;
  /** Ids of nodes that come before; unknown ones and those that would close a cycle are left out. */
  readonly needs: ReadonlyArray<string>;
  /** Extent along the layers, in pixels, where it is not that of the size; the next layer begins below the longest node. */
  readonly along?: number;
}

export interface ISize {
  /** Extent of a node, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Free space between nodes of one layer. */
  readonly gap: number;
  /** Free space between layers. */
  readonly layerGap: number;
  /** Where the layers go. */
  readonly direction: 'down' | 'right';
}

export interface IPoint {
  readonly x: number;
  readonly y: number;
}

export interface ILayout {
  readonly width: number;
  readonly height: number;
  /** Upper left corners. */
  readonly nodes: ReadonlyMap<string, IPoint>;
  readonly edges: ReadonlyArray<{
    readonly from: string;
    readonly to: string;
    /** SVG path. */
    readonly path: string;
  }>;
  /** Nodes of the fullest layer. */
  readonly breadth: number;
}

/** A node, or a bend of an edge that crosses a layer. `at` is the centre across the layers' direction. */
interface IItem {
  readonly id: string | null;
  readonly layer: number;
  readonly before: IItem[];
  readonly after: IItem[];
  at: number;
}

const SWEEPS = 4;

export function layout(nodes: ReadonlyArray<IGraphNode>, size: ISize): ILayout {
  const { items, chains, layers } = rank(nodes);
  order(layers);
  const across = size.direction === 'down' ? size.width : size.height;
  place(layers, across, size.gap);
  const along = size.direction === 'down' ? size.height : size.width;
  const extents = new Map(nodes.map(node => [node.id, node.along ?? along]));
  const long = layers.map(layer =>
    Math.max(along, ...layer.map(item => extents.get(item.id ?? '') ?? 0))
  );
  const starts = long.map((_, i) =>
    long.slice(0, i).reduce((sum, one) => sum + one + size.layerGap, 0)
  );
  const low = Math.min(0, ...layers.flat().map(left(across)));
  const high = Math.max(
    0,
    ...layers.flat().map(item => left(across)(item) + extent(item, across))
  );
  const turn = (a: number, b: number): IPoint =>
    size.direction === 'down' ? { x: a, y: b } : { x: b, y: a };
  const corners = new Map<string, IPoint>();
  for (const [id, item] of items) {
    corners.set(id, turn(item.at - across / 2 - low, starts[item.layer]));
  }
  const edges = chains.map(chain => {
    const points: IPoint[] = [];
    chain.forEach((item, i) => {
      const start = starts[item.layer];
      const at = item.at - low;
      if (i > 0) {
        points.push(turn(at, start));
      }
      if (i < chain.length - 1) {
        points.push(
          turn(at, start + (extents.get(item.id ?? '') ?? long[item.layer]))
        );
      }
    });
    return {
      from: chain[0].id!,
      to: chain[chain.length - 1].id!,
      path: curve(points, size.direction)
    };
  });
  const total = turn(
    high - low,
    layers.length ? starts[layers.length - 1] + long[layers.length - 1] : 0
  );
  return {
    width: total.x,
    height: total.y,
    nodes: corners,
    edges,
    breadth: Math.max(0, ...layers.map(layer => layer.length))
  };
}

/** Layers by longest path from the start, with a bend in every layer that an edge crosses. */
function rank(nodes: ReadonlyArray<IGraphNode>): {
  items: Map<string, IItem>;
  chains: IItem[][];
  layers: IItem[][];
} {
  const items = new Map<string, IItem>();
  const ancestors = new Map<string, Set<string>>();
  const layers: IItem[][] = [];
  const chains: IItem[][] = [];
  const add = (id: string | null, layer: number): IItem => {
    const item: IItem = { id, layer, before: [], after: [], at: 0 };
    (layers[layer] ??= []).push(item);
    return item;
  };
  // Steps come in document order, so that what a step needs is there before it; anything else is no edge.
  for (const node of nodes) {
    const known = [...new Set(node.needs)].filter(id => items.has(id));
    const implied = new Set(known.flatMap(id => [...ancestors.get(id)!]));
    ancestors.set(node.id, new Set([...known, ...implied]));
    const needs = known
      .filter(id => !implied.has(id))
      .map(id => items.get(id)!);
    const layer = Math.max(-1, ...needs.map(item => item.layer)) + 1;
    const item = add(node.id, layer);
    items.set(node.id, item);
    for (const start of needs) {
      const chain = [start];
      for (let i = start.layer + 1; i < layer; i++) {
        chain.push(add(null, i));
      }
      chain.push(item);
      for (let i = 1; i < chain.length; i++) {
        chain[i - 1].after.push(chain[i]);
        chain[i].before.push(chain[i - 1]);
      }
      chains.push(chain);
    }
  }
  return { items, chains, layers };
}

/** Few crossings: sort each layer by the mean place of its neighbours, there and back, and keep the best. */
function order(layers: IItem[][]): void {
  let best = layers.map(layer => [...layer]);
  let fewest = crossings(layers);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const sequence = down ? layers : [...layers].reverse();
    for (let i = 1; i < sequence.length; i++) {
      const place = new Map(
        sequence[i - 1].map((item, index) => [item, index])
      );
      const old = new Map(sequence[i].map((item, index) => [item, index]));
      const key = (item: IItem) =>
        mean(
          (down ? item.before : item.after).map(other => place.get(other)!),
          old.get(item)!
        );
      sequence[i].sort((a, b) => key(a) - key(b) || old.get(a)! - old.get(b)!);
    }
    const count = crossings(layers);
    if (count < fewest) {
      fewest = count;
      best = layers.map(layer => [...layer]);
    }
  }
  best.forEach((layer, i) => layers[i].splice(0, layer.length, ...layer));
}

/** Pairs of edges between neighbouring layers that cross. */
export function crossings(
  layers: ReadonlyArray<
    ReadonlyArray<{ readonly after: ReadonlyArray<object> }>
  >
): number {
  let count = 0;
  for (let i = 0; i + 1 < layers.length; i++) {
    const place = new Map<object, number>(
      layers[i + 1].map((item, index) => [item, index])
    );
    const ends = layers[i].flatMap(item =>
      item.after.map(other => place.get(other)!).sort((a, b) => a - b)
    );
    for (let a = 0; a < ends.length; a++) {
      for (let b = a + 1; b < ends.length; b++) {
        if (ends[a] > ends[b]) {
          count++;
        }
      }
    }
  }
  return count;
}

/** Each item near the mean of its neighbours, without overlaps and in order. */
function place(layers: IItem[][], across: number, gap: number): void {
  for (const layer of layers) {
    spread(
      layer,
      layer.map(() => 0),
      across,
      gap
    );
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      const wanted = layer.map(item =>
        mean(
          (down ? item.before : item.after).map(other => other.at),
          item.at
        )
      );
      spread(layer, wanted, across, gap);
    }
  }
}

/**
 * Positions closest to the wanted ones (least squares) that keep order and distance: with the distances taken off
 * this is isotonic regression, solved by pooling adjacent violators.
 */
function spread(
  layer: IItem[],
  wanted: number[],
  across: number,
  gap: number
): void {
  const offsets: number[] = [];
  layer.forEach((item, i) => {
    offsets.push(
      i === 0
        ? 0
        : offsets[i - 1] +
            (extent(layer[i - 1], across) + extent(item, across)) / 2 +
            gap
    );
  });
  const pools: { sum: number; count: number }[] = [];
  wanted.forEach((value, i) => {
    let pool = { sum: value - offsets[i], count: 1 };
    while (pools.length) {
      const last = pools[pools.length - 1];
      if (last.sum / last.count <= pool.sum / pool.count) {
        break;
      }
      pools.pop();
      pool = { sum: last.sum + pool.sum, count: last.count + pool.count };
    }
    pools.push(pool);
  });
  let i = 0;
  for (const { sum, count } of pools) {
    for (let k = 0; k < count; k++, i++) {
      layer[i].at = sum / count + offsets[i];
    }
  }
}

/** A bend takes no room of its own beyond the gap. */
function extent(item: IItem, across: number): number {
  return item.id === null ? 0 : across;
}

function left(across: number): (item: IItem) => number {
  return item => item.at - extent(item, across) / 2;
}

function mean(values: number[], otherwise: number): number {
  return values.length
    ? values.reduce((sum, value) => sum + value, 0) / values.length
    : otherwise;
}

/** A smooth path: straight through layers, an S between them. */
function curve(points: IPoint[], direction: 'down' | 'right'): string {
  const text = (point: IPoint) => `${round(point.x)},${round(point.y)}`;
  let path = `M${text(points[0])}`;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    if (i % 2 === 0) {
      path += `L${text(b)}`;
    } else if (direction === 'down') {
      const middle = (a.y + b.y) / 2;
      path += `C${text({ x: a.x, y: middle })} ${text({ x: b.x, y: middle })} ${text(b)}`;
    } else {
      const middle = (a.x + b.x) / 2;
      path += `C${text({ x: middle, y: a.y })} ${text({ x: middle, y: b.y })} ${text(b)}`;
    }
  }
  return path;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
