import React, { useEffect, useMemo, useRef, useState } from 'react';

import { Phase } from '../api';
import { IGraphNode, ILayout, ISize, layout } from './layout';
import { PhaseIcon } from './phase';

export interface IStepNode {
  readonly id: string;
  readonly needs: ReadonlyArray<string>;
  /** All that is said of it to those who do not see the picture. */
  readonly label: string;
  /** Lines under its name. */
  readonly details: ReadonlyArray<string>;
  readonly phase?: Phase;
  readonly phaseLabel?: string;
  /** Number of the step's colour beside the cells. */
  readonly color?: number;
  /** Part done, 0 to 1. */
  readonly progress?: number;
}

export interface IGraphProps {
  readonly label: string;
  readonly nodes: ReadonlyArray<IStepNode>;
  readonly direction: 'down' | 'right';
  readonly selected?: string | null;
  readonly onSelect: (id: string) => void;
  /** Asked for by the other mouse button, or its key, at a place of the page. */
  readonly onMenu?: (id: string, x: number, y: number) => void;
}

/** Room for a node, across and along. */
const SIZES: Record<'down' | 'right', ISize & { least: number }> = {
  down: {
    width: 150,
    height: 38,
    gap: 10,
    layerGap: 22,
    least: 84,
    direction: 'down'
  },
  right: {
    width: 164,
    height: 46,
    gap: 14,
    layerGap: 40,
    least: 164,
    direction: 'right'
  }
};

/** Pixels of a line after the second, of a letter in it, and of a node's edges. */
const LINE = 14;
const LETTER = 6;
const EDGES = 24;

/**
 * The steps as a picture: edges are drawn, nodes are real buttons in a list. So there is one thing for everybody:
 * it is read, focused and pressed like any list of buttons.
 */
export function Graph(props: IGraphProps): JSX.Element {
  const { direction, selected } = props;
  const box = useRef<HTMLDivElement>(null);
  const available = useWidth(box);
  const drawn = useMemo(
    () => fit(props.nodes, direction, available),
    [props.nodes, direction, available]
  );
  const { nodes, size, picture } = drawn;
  return (
    <div className={`jp-mlops-graph jp-mlops-graph-${direction}`} ref={box}>
      <div
        className="jp-mlops-graph-canvas"
        style={{ width: picture.width, height: picture.height }}
      >
        <svg
          aria-hidden="true"
          width={picture.width}
          height={picture.height}
          className="jp-mlops-graph-edges"
        >
          {picture.edges.map(edge => (
            <path
              key={`${edge.from} ${edge.to}`}
              d={edge.path}
              data-lit={
                edge.from === selected || edge.to === selected || undefined
              }
            />
          ))}
        </svg>
        <ol aria-label={props.label}>
          {nodes.map(node => {
            const corner = picture.nodes.get(node.id)!;
            return (
              <li
                key={node.id}
                style={{
                  left: corner.x,
                  top: corner.y,
                  width: size.width,
                  height: node.along ?? size.height
                }}
              >
                <button
                  className="jp-mlops-node"
                  data-phase={node.phase}
                  data-mlops-color={node.color}
                  aria-label={node.label}
                  aria-pressed={
                    selected === undefined ? undefined : node.id === selected
                  }
                  title={node.label}
                  onClick={() => props.onSelect(node.id)}
                  onContextMenu={event => {
                    if (props.onMenu) {
                      event.preventDefault();
                      event.stopPropagation();
                      props.onMenu(node.id, event.clientX, event.clientY);
                    }
                  }}
                >
                  {node.phase && (
                    <PhaseIcon phase={node.phase} label={node.phaseLabel} />
                  )}
                  <span className="jp-mlops-node-text">
                    <span className="jp-mlops-node-name">{node.id}</span>
                    {node.details.map(line => (
                      <span className="jp-mlops-node-detail" key={line}>
                        {line}
                      </span>
                    ))}
                  </span>
                  {node.progress !== undefined && (
                    <span
                      className="jp-mlops-node-progress"
                      style={{ width: `${100 * node.progress}%` }}
                    />
                  )}
                </button>
              </li>
            );
          })}
        </ol>
      </div>
    </div>
  );
}

/** Make the nodes as wide as the room allows, within limits; more than that scrolls. */
function fit(
  nodes: ReadonlyArray<IStepNode>,
  direction: 'down' | 'right',
  available: number
): { nodes: (IStepNode & IGraphNode)[]; size: ISize; picture: ILayout } {
  const base = SIZES[direction];
  const draw = (size: ISize) => {
    const grown = nodes.map(node => ({ ...node, along: height(node, size) }));
    return { nodes: grown, size, picture: layout(grown, size) };
  };
  const drawn = draw(base);
  const { width, breadth } = drawn.picture;
  if (direction === 'right' || available <= 0 || width <= available) {
    return drawn;
  }
  const excess = (width - available) / Math.max(1, breadth);
  return draw({ ...base, width: Math.max(base.least, base.width - excess) });
}

/** Room for the lines of a node, where the layers go down: a long one takes two, and what is longer is in the tooltip. */
function height(node: IStepNode, size: ISize): number | undefined {
  if (size.direction === 'right') {
    return undefined;
  }
  const letters = (size.width - EDGES) / LETTER;
  const lines = node.details.map(line => (line.length > letters ? 2 : 1));
  const all = lines.reduce((sum, count) => sum + count, 0);
  return size.height + LINE * Math.max(0, all - 1);
}

/** Inner width of an element, followed; 0 before it is known. */
function useWidth(box: React.RefObject<HTMLElement>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const node = box.current;
    if (!node) {
      return;
    }
    const observer = new ResizeObserver(() => setWidth(node.clientWidth));
    observer.observe(node);
    return () => observer.disconnect();
  }, [box]);
  return width;
}
