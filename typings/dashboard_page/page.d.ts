// Shapes that the dashboard's modules share. Those of the API's answers are in the namespace Api, which
// tests/script_types.py makes of the OpenAPI document. Times are epoch ms, money is in micros of its currency.
declare namespace Page {
  /** What an element may contain: elements, texts, lists of them. Null is left out. */
  type Part = Node | string | number | null | undefined;
  type Child = Part | Part[];
  /** True sets an attribute without a value; null and false leave it out; `onclick` is a listener. */
  type Attributes = Record<string, string | number | boolean | null | undefined | ((event: Event) => unknown)>;
  /** A text, or what makes an element. */
  type Name = string | (() => HTMLElement);

  /** A column of a table; cls: "number" is aligned right, "wide" is hidden on a phone, "name" may break. */
  interface Column<Row> {
    name: Name;
    cls?: string;
    cell(row: Row): Child;
  }

  /** A column of the list of calls. */
  interface CallColumn {
    /** Its name in the address. */
    key: string;
    name: string;
    title?: string;
    cls?: string;
    /** Its line on the phone, where that is not the second. */
    phone?: "first";
    /** What precedes its value where there is no head: on the phone. */
    label?: string;
    /** For those who may see carriers. */
    carriers?: boolean;
    /** What it needs of the API. */
    fields: string[];
    /** digits: the decimals of all amounts of the list. */
    cell(call: Call, digits: number): Child;
  }

  /** What is shown, by the names in the address: range, month, from, to, tz, order, cols, view, call, start, and filters. */
  type View = Record<string, string>;

  /** A time [since, until), epoch ms. */
  interface Span {
    since: number;
    until: number;
  }
  /** A time, and the one that it is compared with; null where there is none. */
  interface Window extends Span {
    before: (Span & { name: string }) | null;
  }

  /** A call of the list has the fields of its columns. */
  type Call = Required<Api.ListedCall>;

  /** Sums: those that a question does not have are absent. */
  type Figures = Omit<Api.Sums, "asr" | "acd_sec"> & Partial<Pick<Api.Sums, "asr" | "acd_sec">>
    & Partial<Omit<Api.QueueFigures, keyof Api.Sums>>;
  /** A group, with the members that it is grouped by. */
  type Group = Figures & Partial<Omit<Api.QueueGroup, keyof Figures>> & { destination?: string | null };
  type Stats = Omit<Api.Stats, "total" | "groups"> & { total: Figures; groups: Group[] };
  type GatewayStats = Omit<Api.Stats, "groups"> & { groups: Api.GatewayGroup[] };

  /** A bar of a chart. part: its time is cut off by the chosen time. */
  interface Point {
    label: string;
    tick: string;
    part: boolean;
    values: number[];
  }

  type SpanKind = "setup" | "rang" | "talked" | "queue" | "held";
  /** A bar of a time line, epoch ms. */
  interface LegSpan {
    kind: SpanKind;
    from: number;
    to: number;
  }
  interface LegRow {
    leg: Api.Leg;
    end: number;
    spans: LegSpan[];
  }
  /** From one row to another, by their places. moved: the call went on from a party that had answered. */
  interface Arrow {
    at: number;
    from: number;
    to: number;
    moved: boolean;
  }
  interface TimeLine {
    from: number;
    to: number;
    rows: LegRow[];
    arrows: Arrow[];
  }

  /** What a word of the search field may be. */
  interface Candidate {
    name: string;
    value: string;
    exact: boolean;
  }
}

/** The elements of index.html that are used as more than an element. */
interface PageElements {
  csv: HTMLButtonElement;
  detail: HTMLDialogElement;
  filter: HTMLFormElement;
  find: HTMLFormElement;
  key: HTMLInputElement;
  "month-form": HTMLFormElement;
}
