import { thinned } from '../parts/chart';
import { Point, curves, imageUrl, keptBySteps, plainName } from '../runfiles';

const point = (
  name: string,
  value: number | string,
  step?: number,
  task = 'fit'
): Point => ({ name, value, task, ...(step === undefined ? {} : { step }) });

describe('curves', () => {
  it('has one for each metric and step of the pipeline that has several values', () => {
    const found = curves([
      point('loss', 0.5),
      point('loss', 0.25),
      point('loss', 0.9, undefined, 'check'),
      point('accuracy', 0.9),
      point('loss', 0.7, undefined, 'check')
    ]);
    expect(found.map(curve => [curve.name, curve.task])).toEqual([
      ['loss', 'fit'],
      ['loss', 'check']
    ]);
    expect(found[0].points).toEqual([
      [0, 0.5],
      [1, 0.25]
    ]);
  });

  it('goes by the epoch where every value has one', () => {
    const [found] = curves([point('loss', 1, 20), point('loss', 2, 10)]);
    expect(found.points).toEqual([
      [10, 2],
      [20, 1]
    ]);
    const [mixed] = curves([point('loss', 1, 20), point('loss', 2)]);
    expect(mixed.points).toEqual([
      [0, 1],
      [1, 2]
    ]);
  });

  it('counts what is no number and keeps its place', () => {
    const [found] = curves([
      point('loss', 1),
      point('loss', 'nan'),
      point('loss', 3)
    ]);
    expect(found.points).toEqual([
      [0, 1],
      [2, 3]
    ]);
    expect(found.odd).toBe(1);
    expect(curves([point('a', 'nan'), point('a', 'inf')])[0].points).toEqual(
      []
    );
  });
});

describe('files of a run', () => {
  const file = (name: string) => ({ name, bytes: 1 });

  it('are those that steps kept, pictures apart', () => {
    const { pictures, others } = keptBySteps(
      ['workflow.json', 'fit.log', 'artifacts/a/b.PNG', 'artifacts/c.csv'].map(
        file
      )
    );
    expect(pictures.map(plainName)).toEqual(['a/b.PNG']);
    expect(others.map(plainName)).toEqual(['c.csv']);
  });

  it('are pictures up to a size', () => {
    const large = { name: 'artifacts/a.png', bytes: 9 << 20 };
    expect(keptBySteps([large])).toEqual({ pictures: [], others: [large] });
  });

  it('have an address that makes no SVG a page of the notebook server', async () => {
    const blob = new Blob(['<svg/>'], { type: 'application/octet-stream' });
    const url = await imageUrl(blob, file('artifacts/a.SVG'));
    expect(url).toBe(`data:image/svg+xml;base64,${btoa('<svg/>')}`);
    URL.createObjectURL = jest.fn(() => 'blob:it');
    expect(await imageUrl(blob, file('artifacts/a.png'))).toBe('blob:it');
  });
});

describe('thinned', () => {
  it('leaves few points alone', () => {
    const few = [
      [0, 1],
      [1, 2]
    ] as const;
    expect(thinned(few)).toBe(few);
  });

  it('loses neither a peak nor an end, and goes from left to right', () => {
    const many = Array.from(
      { length: 100_000 },
      (_, x) => [x, x === 54_321 ? 99 : Math.sin(x)] as const
    );
    const found = thinned(many);
    expect(found.length).toBeLessThan(600);
    expect(found).toContain(many[54_321]);
    expect([found[0], found[found.length - 1]]).toEqual([
      many[0],
      many[99_999]
    ]);
    const across = found.map(([x]) => x);
    expect(across).toEqual([...across].sort((a, b) => a - b));
  });
});
