interface Sale {
  id: number;
  date: string;
  region: string;
  product: string;
  quantity: number;
  amount: number; // cents
  customer?: string;
}

interface CustomerTotal {
  customer: string;
  orders: number;
  total: string;
}

async function topCustomers(n: number): Promise<CustomerTotal[]> {
  const { rows }: { rows: Sale[] } = await tools.sales.rows({});
  const totals = new Map<string, { orders: number; cents: number }>();

  for (const row of rows) {
    const key = row.customer ?? "unknown";
    const entry = totals.get(key) ?? { orders: 0, cents: 0 };
    entry.orders += 1;
    entry.cents += row.amount;
    totals.set(key, entry);
  }

  return [...totals.entries()]
    .sort(([, a], [, b]) => b.cents - a.cents)
    .slice(0, n)
    .map(([customer, { orders, cents }]) => ({
      customer,
      orders,
      total: (cents / 100).toLocaleString("en-US", { style: "currency", currency: "USD" }),
    }));
}

return await topCustomers(3);
// expect: [{"customer":"C1933","orders":19,"total":"$3,293.85"},{"customer":"C0151","orders":15,"total":"$2,929.13"},{"customer":"C1027","orders":19,"total":"$2,898.89"}]
