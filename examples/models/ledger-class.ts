enum Period {
  Month = 7,
  Day = 10,
}

type Row = { date: string; amount: number; region: string };

class Ledger {
  #rows: Row[] = [];
  constructor(private readonly pageSize: number = 5000) {}

  async load(): Promise<this> {
    for (let offset = 0; ; offset += this.pageSize) {
      const { rows } = await tools.sales.rows({ offset, limit: this.pageSize });
      this.#rows.push(...(rows as Row[]));
      if (rows.length < this.pageSize) return this;
    }
  }

  get size(): number {
    return this.#rows.length;
  }

  *totals(period: Period): Generator<[string, number]> {
    const sums = new Map<string, number>();
    for (const r of this.#rows) {
      const key = r.date.slice(0, period);
      sums.set(key, (sums.get(key) ?? 0) + r.amount);
    }
    for (const key of [...sums.keys()].sort()) yield [key, sums.get(key)!];
  }
}

const ledger = await new Ledger().load();
const best = [...ledger.totals(Period.Day)].reduce((a, b) => (b[1] > a[1] ? b : a));
const months = [...ledger.totals(Period.Month)];
return { size: ledger.size, months: months.length, january: months[0][1] / 100, bestDay: { date: best[0], revenue: best[1] / 100 } };
// expect: {"size":20000,"months":12,"january":229260.91,"bestDay":{"date":"2025-03-19","revenue":11060.75}}
