/** A stream of what the generator yields. Nothing is pulled before the first read; `leave` is called on cancellation. */
export function pulledStream<Chunk>(
  chunks: AsyncGenerator<Chunk, void>,
  leave: () => unknown,
): ReadableStream<Chunk> {
  return new ReadableStream<Chunk>(
    {
      async pull(controller) {
        const next = await chunks.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await leave();
      },
    },
    { highWaterMark: 0 },
  );
}
