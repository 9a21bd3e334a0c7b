/** Which products sell best in each region? */
type Product = string;
type Region = string;

const count = async (): Promise<Map<Region, Map<Product, number>>> => {
  const out = new Map<Region, Map<Product, number>>();
  const { rows } = await tools.sales.rows();
  for (const { region, product, quantity } of rows as Array<{ region: Region; product: Product; quantity: number }>) {
    if (!out.has(region)) out.set(region, new Map());
    const products = out.get(region)!;
    products.set(product, (products.get(product) ?? 0) + quantity);
  }
  return out;
};

export default async () => {
  const counts = await count();
  const best: Record<Region, Product> = {};
  for (const [region, products] of [...counts].sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    best[region] = [...products].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
  }
  return best;
};
// expect: {"east":"toaster","islands":"blender","north":"fan","south":"radio","west":"toaster"}
