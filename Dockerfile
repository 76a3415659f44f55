# One image, two commands: the projector and the API (docker-compose.yml).
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Every native package ships its binary: nothing is compiled, and no package's script has to run.
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production DATABASE_DIR=/data EVENT_LOG_DIR=/data HOST=0.0.0.0 OPS_HOST=0.0.0.0
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY shared shared
COPY projector projector
COPY api api
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 3000 3001
CMD ["node", "api/main.ts"]
