import { IGraphNode, ISize, crossings, layout } from '../parts/layout';

const SIZE: ISize = {
  width: 100,
  height: 40,
  gap: 10,
  layerGap: 20,
  direction: 'down'
};

function graph(text: string): IGraphNode[] {
  return text.split(' ').map(part => {
    const [id, needs = ''] = part.split(':');
    return { id, needs: needs ? needs.split(',') : [] };
  });
}

const GRAPHS: Record<string, string> = {
  one: 'a',
  chain: 'a b:a c:b d:c',
  diamond: 'a b:a c:a d:b,c',
  wide: 'a b:a c:a d:a e:a f:b,c,d,e',
  skip: 'a b:a c:b d:a,c',
  islands: 'a b c:a d:b',
  crossed: 'a b c:b d:a',
  braid: 'a b c d:c e:b f:a g:f,e h:e,d i:g,h',
  long: 'a b:a c:b d:c e:d f:a,e g:a,f'
};

describe.each(Object.entries(GRAPHS))('%s', (_, text) => {
  const nodes = graph(text);

  it.each(['down', 'right'] as const)('goes %s without overlaps', direction => {
    const {
      nodes: placed,
      width,
      height
    } = layout(nodes, {
      ...SIZE,
      direction
    });
    expect(placed.size).toBe(nodes.length);
    const boxes = [...placed.values()];
    for (const [i, a] of boxes.entries()) {
      expect(a.x).toBeGreaterThanOrEqual(0);
      expect(a.y).toBeGreaterThanOrEqual(0);
      expect(a.x + SIZE.width).toBeLessThanOrEqual(width + 1e-6);
      expect(a.y + SIZE.height).toBeLessThanOrEqual(height + 1e-6);
      for (const b of boxes.slice(i + 1)) {
        const apart =
          Math.abs(a.x - b.x) >= SIZE.width - 1e-6 ||
          Math.abs(a.y - b.y) >= SIZE.height - 1e-6;
        expect(apart).toBe(true);
      }
    }
  });

  it('puts every node after what it needs', () => {
    const { nodes: placed } = layout(nodes, SIZE);
    for (const node of nodes) {
      for (const need of node.needs) {
        expect(placed.get(need)!.y).toBeLessThan(placed.get(node.id)!.y);
      }
    }
  });

  it.each(['down', 'right'] as const)(
    'makes room for long nodes when it goes %s',
    direction => {
      const tall = nodes.map((node, i) => ({ ...node, along: 40 + 30 * i }));
      const { nodes: placed, ...all } = layout(tall, { ...SIZE, direction });
      const start = (id: string) =>
        direction === 'down' ? placed.get(id)!.y : placed.get(id)!.x;
      for (const node of tall) {
        const end = start(node.id) + node.along;
        expect(end).toBeLessThanOrEqual(
          direction === 'down' ? all.height : all.width + 1e-6
        );
        for (const next of tall.filter(one => one.needs.includes(node.id))) {
          expect(start(next.id)).toBeGreaterThanOrEqual(end + SIZE.layerGap);
        }
      }
    }
  );

  it('begins an edge where its node ends', () => {
    const tall = nodes.map((node, i) => ({ ...node, along: 40 + 30 * i }));
    const { nodes: placed, edges } = layout(tall, SIZE);
    for (const { from, path } of edges) {
      const { along } = tall.find(node => node.id === from)!;
      expect(path.split(/[CL]/)[0]).toMatch(
        new RegExp(`,${placed.get(from)!.y + along}$`)
      );
    }
  });

  it('draws each need, as an edge or by way of others, and no edge twice', () => {
    const { edges } = layout(nodes, SIZE);
    const reached = (from: string): string[] =>
      edges
        .filter(edge => edge.to === from)
        .flatMap(edge => [edge.from, ...reached(edge.from)]);
    for (const node of nodes) {
      expect(reached(node.id)).toEqual(expect.arrayContaining(node.needs));
    }
    for (const { from, to, path } of edges) {
      expect(nodes.find(node => node.id === to)!.needs).toContain(from);
      expect(path).toMatch(/^M[\d.,-]+[CL]/);
      expect(path).not.toContain('NaN');
    }
    const names = edges.map(({ from, to }) => `${from} ${to}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it('is the same each time', () => {
    expect(layout(nodes, SIZE)).toEqual(layout(nodes, SIZE));
  });
});

it('draws nothing for nothing', () => {
  const drawn = layout([], SIZE);
  expect(drawn).toMatchObject({ width: 0, height: 0, edges: [], breadth: 0 });
});

it('leaves out what follows from other edges', () => {
  const { edges } = layout(graph('a b:a c:a,b d:a,b,c'), SIZE);
  expect(edges.map(({ from, to }) => `${from}${to}`)).toEqual([
    'ab',
    'bc',
    'cd'
  ]);
});

it('centres a diamond', () => {
  const { nodes, breadth } = layout(graph(GRAPHS.diamond), SIZE);
  expect(breadth).toBe(2);
  expect(nodes.get('a')!.x).toBeCloseTo(nodes.get('d')!.x);
  const middle = (nodes.get('b')!.x + nodes.get('c')!.x) / 2;
  expect(nodes.get('a')!.x).toBeCloseTo(middle);
});

it('uncrosses what can be uncrossed', () => {
  const { nodes } = layout(graph(GRAPHS.crossed), SIZE);
  const order = (a: string, b: string) =>
    Math.sign(nodes.get(a)!.x - nodes.get(b)!.x);
  expect(order('a', 'b')).toBe(order('d', 'c'));
});

it('leaves out needs that are unknown, double, or come later', () => {
  const nodes = [
    { id: 'a', needs: ['b', 'nobody'] },
    { id: 'b', needs: ['a', 'a'] }
  ];
  const { edges } = layout(nodes, SIZE);
  expect(edges.map(({ from, to }) => [from, to])).toEqual([['a', 'b']]);
});

it('counts crossings', () => {
  const [c, d] = [{ after: [] }, { after: [] }];
  const straight = [{ after: [c] }, { after: [d] }];
  const crossed = [{ after: [d] }, { after: [c] }];
  expect(crossings([straight, [c, d]])).toBe(0);
  expect(crossings([crossed, [c, d]])).toBe(1);
});
