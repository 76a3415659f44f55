# One image, all commands of lead-view: the projector and the API are two of them (docker-compose.yml).
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
RUN ln -s /app/shared/command-line/lead-view.js /usr/local/bin/lead-view && mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 3000 3001
ENTRYPOINT ["lead-view"]
CMD ["api"]
