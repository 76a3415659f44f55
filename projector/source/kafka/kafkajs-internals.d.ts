// kafkajs publishes no types for what is inside it.
declare module "kafkajs/src/network/requestQueue/index.js" {
  const RequestQueue: object;
  export default RequestQueue;
}
